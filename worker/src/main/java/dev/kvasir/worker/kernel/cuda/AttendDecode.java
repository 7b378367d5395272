package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.kernel.AttentionShape;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Attention of sequences that compute one token each, their contexts split over the device. Leaves all others alone. */
final class AttendDecode {
    private static final int SPLITS_MAX = 16;
    private static final int TILE_TOKENS = 16;
    private static final int MERGING_WARPS = 4;
    /** Floats of a partial result beside its head: maximum, sum, and what keeps it aligned. */
    private static final int PARTIAL_EXTRA = 4;

    private static final long PARTIAL_BYTES = 96L << 20;
    private static final long ARRIVAL_BYTES = 1L << 20;
    private static final int HOPPER = 90;

    private final Gpu gpu;
    private final KernelLibrary library;
    private final long partials;
    private final long arrivals;
    private final Map<AttentionShape, Map<DType, Variant>> variants = new HashMap<>();

    /** What is launched for one shape. */
    private record Variant(
            DeviceKernel kernel, int threads, int sharedBytes, int chunks, int blocksPerMultiprocessor) {}

    /** How the kernel of a head size and a number of heads computed together was compiled. */
    private record Compiled(int headSize, int columns, int warps, int stages, int olderWarps, int olderStages) {}

    private static final Compiled[] COMPILED = {
        new Compiled(64, 8, 8, 4, 4, 4),
        new Compiled(64, 16, 8, 4, 4, 4),
        new Compiled(80, 8, 8, 4, 4, 3),
        new Compiled(96, 8, 8, 3, 4, 2),
        new Compiled(128, 4, 8, 3, 4, 2),
        new Compiled(128, 8, 6, 4, 4, 2),
        new Compiled(128, 16, 4, 4, 3, 2),
        new Compiled(256, 4, 4, 3, 2, 2),
        new Compiled(256, 8, 3, 4, 2, 2)
    };

    AttendDecode(Gpu gpu, KernelLibrary library, DeviceArena arena) {
        this.gpu = gpu;
        this.library = library;
        this.partials = arena.allocate(PARTIAL_BYTES);
        this.arrivals = arena.allocate(ARRIVAL_BYTES);
        gpu.stream().clear(arrivals, ARRIVAL_BYTES);
    }

    /** Whether there is a kernel for it. */
    boolean takes(CudaMatrix query, CudaKvStorage kv, AttentionShape shape, int sequencesMax) {
        var layout = kv.layout();
        var compiled = find(shape);
        return compiled != null
                && query.type() == layout.dtype()
                && query.type() != DType.F32
                && layout.keySize() == shape.headSize()
                && layout.valueSize() == shape.headSize()
                && query.stride() % 8 == 0
                && query.address() % 16 == 0
                && sharedBytes(compiled, sequencesMax) <= gpu.info().sharedBytesMax();
    }

    private boolean hopper() {
        return gpu.info().computeCapability() >= HOPPER;
    }

    private int sharedBytes(Compiled compiled, int sequencesMax) {
        int warps = hopper() ? compiled.warps() : compiled.olderWarps();
        int stages = hopper() ? compiled.stages() : compiled.olderStages();
        return warps * stages * 2 * TILE_TOKENS * rowBytes(compiled.headSize())
                + warps * compiled.columns() * ((compiled.headSize() + PARTIAL_EXTRA) * 4 + 8)
                + (sequencesMax + 1) * 4;
    }

    private static @Nullable Compiled find(AttentionShape shape) {
        int group = shape.headCount() / shape.kvHeadCount();
        Compiled found = null;
        for (var candidate : COMPILED) {
            if (candidate.headSize() == shape.headSize() && (found == null || found.columns() < group)) {
                found = candidate;
            }
        }
        return found;
    }

    /** @param splitTokens least part of a context that is computed by itself */
    void run(
            CudaMatrix out,
            CudaMatrix query,
            CudaKvStorage kv,
            int layer,
            BatchMirror batch,
            AttentionShape shape,
            int splitTokens) {
        var variant = variants.computeIfAbsent(shape, _ -> new HashMap<>())
                .computeIfAbsent(query.type(), type -> variant(shape, type, batch.sequencesMax()));
        var layout = kv.layout();
        int splits = splits(batch.sequences(), shape);
        int items = batch.sequences() * splits * layout.kvHeadCount() * variant.chunks();
        int grid = Math.min(gpu.info().multiprocessors() * variant.blocksPerMultiprocessor(), items);
        variant.kernel()
                .launchEarly(
                        gpu.stream(),
                        Grid.of(grid, variant.threads()).withShared(variant.sharedBytes()),
                        new Arguments()
                                .pointer(out.address())
                                .pointer(query.address())
                                .pointer(kv.layer(layer))
                                .pointer(batch.blockTables())
                                .pointer(batch.contextLength())
                                .pointer(batch.rowStart())
                                .pointer(partials)
                                .pointer(arrivals)
                                .int32(out.stride())
                                .int32(query.stride())
                                .int32(batch.sequences())
                                .int32(batch.tableStride())
                                .int32(shape.headCount())
                                .int32(shape.kvHeadCount())
                                .int32(layout.blockSize())
                                .int64(kv.blockStride())
                                .int64(kv.valueOffset())
                                .float32(shape.scale())
                                .int32(shape.window())
                                .float32(shape.softcap())
                                .int32(Math.max(1, splitTokens / TILE_TOKENS))
                                .int32(splits));
    }

    /** As many as there is room for the results of. */
    private static int splits(int sequences, AttentionShape shape) {
        long bytesPerSplit = 4L * sequences * shape.headCount() * (shape.headSize() + PARTIAL_EXTRA);
        int splits = SPLITS_MAX;
        while (splits > 1 && splits * bytesPerSplit > PARTIAL_BYTES) {
            splits /= 2;
        }
        if (splits * bytesPerSplit > PARTIAL_BYTES) {
            throw new IllegalArgumentException("%d sequences of %s need %d bytes for partial results, at most %d"
                    .formatted(sequences, shape, bytesPerSplit, PARTIAL_BYTES));
        }
        return splits;
    }

    private Variant variant(AttentionShape shape, DType type, int sequencesMax) {
        var compiled = find(shape);
        if (compiled == null) {
            throw new IllegalArgumentException("no decode attention for " + shape);
        }
        int warps = hopper() ? compiled.warps() : compiled.olderWarps();
        int headSize = shape.headSize();
        int shared = sharedBytes(compiled, sequencesMax);
        int threads = (warps + MERGING_WARPS) * 32;
        int chunks = Math.ceilDiv(shape.headCount() / shape.kvHeadCount(), compiled.columns());
        if (4L * sequencesMax * shape.kvHeadCount() * chunks > ARRIVAL_BYTES) {
            throw new IllegalArgumentException("%d sequences of %s are too many".formatted(sequencesMax, shape));
        }
        var kernel = library.kernel(
                        "AttendDecode",
                        "attend_decode_%s_%d_%d".formatted(KernelLibrary.suffix(type), headSize, compiled.columns()))
                .withSharedBytes(shared);
        return new Variant(
                kernel, threads, shared, chunks, Math.max(1, kernel.blocksPerMultiprocessor(threads, shared)));
    }

    /** Bytes of a row of a head in shared memory: an odd number of 16-byte chunks where they are not swizzled. */
    static int rowBytes(int headSize) {
        int chunks = headSize / 8;
        return 16 * (chunks % 8 == 0 ? chunks : chunks | 1);
    }
}
