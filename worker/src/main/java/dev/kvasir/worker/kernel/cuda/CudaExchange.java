package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Nccl;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.KernelShapes;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Weight;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One GPU's exchanges with the others: all are put on its stream, and can be recorded. */
final class CudaExchange implements Exchange {
    private final CudaKernels kernels;
    private final Stream stream;
    private final int ranks;
    private final int rank;
    private final Nccl.@Nullable Communicator nccl;
    private final @Nullable PeerSum peers;
    private final long peerBytesMax;
    /** Numbers of parts that others read, by address. */
    private final Map<Long, Integer> pieces = new HashMap<>();

    /**
     * At least one way must be there.
     *
     * @param peerBytesMax longest sum that is made by reading each other's memory, where both ways are there
     */
    CudaExchange(
            CudaKernels kernels,
            int rank,
            int ranks,
            Nccl.@Nullable Communicator nccl,
            @Nullable PeerSum peers,
            long peerBytesMax) {
        this.kernels = kernels;
        this.stream = kernels.gpu().stream();
        this.rank = rank;
        this.ranks = ranks;
        this.nccl = nccl;
        this.peers = peers;
        this.peerBytesMax = peerBytesMax;
    }

    @Override
    public Matrix allocatePart(int rowsMax, int columns) {
        var part = (CudaMatrix) kernels.allocate(rowsMax, columns);
        register(part);
        return part;
    }

    private void register(CudaMatrix part) {
        if (peers != null) {
            pieces.put(part.address(), peers.register(part));
        }
    }

    private int piece(CudaMatrix part) {
        var piece = pieces.get(part.address());
        if (piece == null) {
            throw new IllegalArgumentException("a matrix that was not allocated as a part cannot be exchanged");
        }
        return piece;
    }

    @Override
    public void sum(Matrix out, Matrix part, int rows, boolean accumulate) {
        KernelShapes.sameColumns(out, part, rows);
        kernels.gpu().enter();
        if (rows == 0) {
            return;
        }
        var from = (CudaMatrix) part;
        var to = (CudaMatrix) out;
        long bytes = (long) rows * from.columns() * from.type().bytes();
        if (peers != null && (nccl == null || bytes <= peerBytesMax)) {
            peers.sum(to, from, piece(from), rows, accumulate);
        } else {
            sumByNccl(to, from, rows, accumulate);
        }
    }

    /** Only by reading and writing each other's memory. */
    @Override
    public boolean sumAndNormalise(
            Matrix out, Matrix in, Matrix part, int rows, Weight weight, float epsilon, float weightOffset) {
        KernelShapes.sameColumns(in, part, rows);
        KernelShapes.rmsNorm(out, in, rows, weight);
        if (peers == null || rows == 0) {
            return false;
        }
        kernels.gpu().enter();
        return peers.sumAndNormalise(
                (CudaMatrix) out, (CudaMatrix) in, (CudaMatrix) part, rows, (CudaWeight) weight, epsilon, weightOffset);
    }

    private void sumByNccl(CudaMatrix out, CudaMatrix part, int rows, boolean accumulate) {
        var library = require();
        boolean dense = out.stride() == out.columns();
        var sum = accumulate || !dense ? part : out;
        library.sum(sum.address(), part.address(), (long) rows * part.columns(), type(part.type()), stream);
        if (accumulate) {
            kernels.add(out, part, rows, 1);
        } else if (!dense) {
            long bytes = (long) part.columns() * part.type().bytes();
            long pitch = (long) out.stride() * out.type().bytes();
            stream.copyRowsOnDevice(out.address(), pitch, part.address(), bytes, bytes, rows);
        }
    }

    private Nccl.Communicator require() {
        if (nccl == null) {
            throw new IllegalStateException("ranks %d have no NCCL".formatted(ranks));
        }
        return nccl;
    }

    private static Nccl.Type type(DType type) {
        return switch (type) {
            case F32 -> Nccl.Type.F32;
            case F16 -> Nccl.Type.F16;
            case BF16 -> Nccl.Type.BF16;
        };
    }

    @Override
    public Gathering gathering(int rowsMax, List<Integer> columnsOfRanks) {
        if (columnsOfRanks.size() != ranks) {
            throw new IllegalArgumentException(
                    "columns of %d ranks, there are %d".formatted(columnsOfRanks.size(), ranks));
        }
        int stretch = columnsOfRanks.getFirst();
        int columns = columnsOfRanks.stream().mapToInt(Integer::intValue).sum();
        var room = (CudaMatrix) kernels.allocateFloats(rowsMax, stretch);
        register(room);
        var part = room.view(0, columnsOfRanks.get(rank));
        var whole = (CudaMatrix) kernels.allocateFloats(rowsMax, columns);
        if (peers != null) {
            return new ByPeers(peers, peers.bests(rowsMax), part, whole, piece(room), stretch, rank * stretch);
        }
        long landing = kernels.arena().allocate(4L * ranks * stretch * rowsMax);
        return new ByNccl(require(), stream, part, whole, landing, stretch, columnsOfRanks);
    }

    private record ByPeers(
            PeerSum peers, PeerSum.Bests bests, CudaMatrix part, CudaMatrix whole, int piece, int stretch, int first)
            implements Gathering {
        @Override
        public boolean chooses() {
            return peers.chooses();
        }

        @Override
        public void chooseLargest(Choices into, int rows) {
            if (rows > 0) {
                peers.largest((Largest.CudaChoices) into, bests, part, rows, first);
            }
        }

        @Override
        public void gather(int rows) {
            if (rows > 0) {
                peers.gather(whole, piece, stretch, rows);
            }
        }
    }

    /** Ranks' columns land one rank after the other and are put side by side then. */
    private record ByNccl(
            Nccl.Communicator nccl,
            Stream stream,
            CudaMatrix part,
            CudaMatrix whole,
            long landing,
            int stretch,
            List<Integer> columns)
            implements Gathering {
        @Override
        public void gather(int rows) {
            if (rows == 0) {
                return;
            }
            nccl.gather(landing, part.address(), (long) rows * stretch, Nccl.Type.F32, stream);
            long pitch = 4L * whole.stride();
            for (int rank = 0; rank < columns.size(); rank++) {
                long from = landing + 4L * rank * rows * stretch;
                long to = whole.address() + 4L * rank * stretch;
                stream.copyRowsOnDevice(to, pitch, from, 4L * stretch, 4L * columns.get(rank), rows);
            }
        }
    }
}
