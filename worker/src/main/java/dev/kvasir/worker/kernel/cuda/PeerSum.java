package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import java.util.HashMap;
import java.util.Map;

/**
 * Exchanges by reading and writing the other GPUs' memory: sums, in the order of ranks, with the norm that follows or without,
 * bringing together, and what is largest. Short sums are sent, others are fetched; either gives the same. Works under recorded steps: which exchange it is, is counted in device
 * memory by the kernels themselves.
 */
final class PeerSum {
    /** As many ranks as the kernels know. */
    static final int RANKS_MAX = 8;

    private static final int THREADS = 512;
    private static final int BLOCKS_MAX = 64;
    /** Lines of eight bytes, twice as long with their marks, that can be sent at once. */
    private static final int LINES = 16_384;

    private static final int LINE_BYTES = 8;
    /** As the kernel that goes on with the norm has it: pieces of 16 bytes of a row, and rows. */
    private static final int NORM_PIECES = 1024;

    /** Lines that such pieces take: twelve of their sixteen bytes are of a row. */
    private static final int NORM_LINES = Math.ceilDiv(NORM_PIECES * 16, 12);

    private static final int NORM_ROWS = 128;
    /** What is sent to all others together by it, without marks: more is faster fetched. */
    private static final long NORM_BYTES = 1L << 20;

    private static final int LARGEST_THREADS = 1024;

    private final Stream stream;
    private final PeerTable table;
    private final int rank;
    private final int signals;
    private final long counters;
    private final int slots;
    private final long pushCounters;
    private final PerType<DeviceKernel> sum;
    private final PerType<DeviceKernel> pushSum;
    private final PerType<DeviceKernel> pushNorm;
    private final int normSlots;
    private final long normCounters;
    private final DeviceKernel largest;
    private final int width;
    private final CudaKernels kernels;
    private final boolean fused;
    private final DeviceKernel gather;
    private final Map<Integer, long[]> addresses = new HashMap<>();

    /**
     * One for each rank.
     *
     * @param fused whether sums go on with norms, and largest logits are found together
     */
    PeerSum(CudaKernels kernels, PeerTable table, int rank, boolean fused) {
        this.stream = kernels.gpu().stream();
        this.table = table;
        this.rank = rank;
        this.kernels = kernels;
        this.fused = fused;
        width = table.ranks() <= 2 ? 2 : table.ranks() <= 4 ? 4 : RANKS_MAX;
        sum = new PerType<>(type ->
                kernels.library().kernel("PeerSum", "peer_sum_%s_%d".formatted(KernelLibrary.suffix(type), width)));
        pushSum = new PerType<>(type -> kernels.library()
                .kernel("PeerSum", "peer_push_sum_%s_%d".formatted(KernelLibrary.suffix(type), width)));
        pushNorm = new PerType<>(type -> kernels.library()
                .kernel("PeerSum", "peer_push_norm_%s_%d".formatted(KernelLibrary.suffix(type), width)));
        gather = kernels.library().kernel("PeerSum", "peer_gather_" + width);
        largest = kernels.library().kernel("PeerSum", "peer_largest_" + width);
        long signalBytes = 4L * BLOCKS_MAX * RANKS_MAX;
        long counterBytes = 4L * BLOCKS_MAX;
        long slotBytes = 2L * RANKS_MAX * LINES * 2 * LINE_BYTES;
        long address = clear(kernels, slotBytes + signalBytes + 2 * counterBytes);
        slots = table.register(rank, address);
        signals = table.register(rank, address + slotBytes);
        counters = address + slotBytes + signalBytes;
        pushCounters = counters + counterBytes;
        long normBytes = fused ? 2L * width * NORM_ROWS * NORM_LINES * 2 * LINE_BYTES : 0;
        long norms = fused ? clear(kernels, normBytes + 4L * NORM_ROWS) : 0;
        normSlots = table.register(rank, norms);
        normCounters = norms + normBytes;
    }

    /** Memory that others write must be clear before they do. */
    private static long clear(CudaKernels kernels, long bytes) {
        long address = kernels.arena().allocate(bytes);
        kernels.gpu().stream().clear(address, bytes);
        kernels.gpu().stream().synchronize();
        return address;
    }

    /** Number of a matrix that other ranks read. */
    int register(CudaMatrix part) {
        return table.register(rank, part.address());
    }

    void sum(CudaMatrix out, CudaMatrix part, int piece, int rows, boolean accumulate) {
        long lines = (long) rows * part.columns() * part.type().bytes() / LINE_BYTES;
        if (lines <= LINES && isWhole(part, part.columns()) && isWhole(out, part.columns())) {
            pushSum(out, part, (int) lines, rows, accumulate);
            return;
        }
        var arguments = pointers(piece)
                .pointer(out.address())
                .int32(out.stride())
                .int32(part.stride())
                .int32(rows)
                .int32(part.columns())
                .int32(accumulate ? 1 : 0);
        sum.of(part.type()).launchEarly(stream, grid(rows, part.columns(), part.type()), arguments);
    }

    /** Whether rows are whole lines. */
    private static boolean isWhole(CudaMatrix matrix, int columns) {
        int bytes = matrix.type().bytes();
        return matrix.address() % LINE_BYTES == 0
                && (long) matrix.stride() * bytes % LINE_BYTES == 0
                && (long) columns * bytes % LINE_BYTES == 0;
    }

    private void pushSum(CudaMatrix out, CudaMatrix part, int lines, int rows, boolean accumulate) {
        var arguments = new Arguments();
        add(arguments, slots);
        arguments
                .pointer(pushCounters)
                .int32(rank)
                .int32(table.ranks())
                .pointer(part.address())
                .int32(part.stride())
                .pointer(out.address())
                .int32(out.stride())
                .int32(rows)
                .int32(part.columns())
                .int32(accumulate ? 1 : 0);
        pushSum.of(part.type()).launchEarly(stream, Grid.of(Math.ceilDiv(lines, THREADS), THREADS), arguments);
    }

    /**
     * hidden += the sum of parts, and its norm into {@code out}.
     *
     * @return false where nothing was done: the rows are too many or too long for it
     */
    boolean sumAndNormalise(
            CudaMatrix out,
            CudaMatrix hidden,
            CudaMatrix part,
            int rows,
            CudaWeight weight,
            float epsilon,
            float weightOffset) {
        long rowBytes = (long) part.columns() * part.type().bytes();
        if (!fused
                || rows > NORM_ROWS
                || rowBytes > 16L * NORM_PIECES
                || rows * rowBytes * (table.ranks() - 1) > NORM_BYTES
                || weight.columns() != part.columns()
                || weight.floats() % 16 != 0
                || !isPacked(part)
                || !isPacked(hidden)
                || !isPacked(out)) {
            return false;
        }
        var arguments = new Arguments();
        add(arguments, normSlots);
        arguments
                .pointer(normCounters)
                .int32(rank)
                .int32(table.ranks())
                .pointer(part.address())
                .int32(part.stride())
                .pointer(hidden.address())
                .int32(hidden.stride())
                .pointer(out.address())
                .int32(out.stride())
                .pointer(weight.floats())
                .int32(part.columns())
                .float32(epsilon)
                .float32(weightOffset);
        pushNorm.of(part.type()).launchEarly(stream, Grid.of(rows, THREADS), arguments);
        return true;
    }

    private static boolean isPacked(CudaMatrix matrix) {
        int bytes = matrix.type().bytes();
        return matrix.address() % 16 == 0
                && (long) matrix.stride() * bytes % 16 == 0
                && (long) matrix.columns() * bytes % 16 == 0;
    }

    /** Whether largest logits are found together. */
    boolean chooses() {
        return fused;
    }

    /** What ranks tell each other of the largest logits of so many rows: all allocate alike. */
    Bests bests(int rowsMax) {
        long slotBytes = 2L * width * rowsMax * 2 * LINE_BYTES;
        long address = clear(kernels, slotBytes + 4L * rowsMax);
        return new Bests(table.register(rank, address), address + slotBytes, rowsMax);
    }

    /** Where lines of bests arrive, and how often a row was told. */
    record Bests(int slots, long counters, int rowsMax) {}

    /** @param first id of this rank's first column */
    void largest(Largest.CudaChoices choices, Bests bests, CudaMatrix logits, int rows, int first) {
        var arguments = new Arguments();
        add(arguments, bests.slots());
        arguments
                .pointer(bests.counters())
                .int32(rank)
                .int32(table.ranks())
                .pointer(logits.address())
                .int32(logits.stride())
                .int32(logits.columns())
                .int32(first)
                .int32(bests.rowsMax())
                .pointer(choices.device());
        largest.launchEarly(stream, Grid.of(rows, LARGEST_THREADS), arguments);
    }

    /** @param stretch columns of each rank but the last */
    void gather(CudaMatrix out, int piece, int stretch, int rows) {
        var arguments = pointers(piece)
                .pointer(out.address())
                .int32(out.stride())
                .int32(rows)
                .int32(stretch)
                .int32(out.columns());
        gather.launchEarly(stream, grid(rows, stretch, DType.F32), arguments);
    }

    /** The same for all ranks: block numbers meet. */
    private static Grid grid(int rows, int columns, DType type) {
        long pieces = Math.ceilDiv((long) rows * columns * type.bytes(), 16);
        return Grid.of(Math.clamp(Math.ceilDiv(pieces, THREADS), 1, BLOCKS_MAX), THREADS);
    }

    private Arguments pointers(int piece) {
        var arguments = new Arguments();
        add(arguments, piece);
        add(arguments, signals);
        return arguments.pointer(counters).int32(rank).int32(table.ranks());
    }

    private void add(Arguments arguments, int piece) {
        long[] pointers = addresses.computeIfAbsent(piece, table::of);
        for (int i = 0; i < RANKS_MAX; i++) {
            arguments.pointer(i < pointers.length ? pointers[i] : 0);
        }
    }
}
