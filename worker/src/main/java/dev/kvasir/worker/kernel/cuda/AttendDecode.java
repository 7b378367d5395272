package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Attention of sequences that compute one token each, their contexts split over the device. Leaves all others alone. */
final class AttendDecode {
    private static final int SPLITS_MAX = 16;
    static final long PARTIAL_BYTES = 96L << 20;
    private static final long ARRIVAL_BYTES = 1L << 20;

    private final Gpu gpu;
    private final KernelLibrary library;
    private final long partials;
    private final long arrivals;
    private final PerFormat<Map<AttentionShape, Map<DType, Variant>>> variants = new PerFormat<>(_ -> new HashMap<>());

    /** What is launched for one shape. */
    private record Variant(DeviceKernel kernel, DecodeKernel compiled, int sharedBytes, int blocksPerMultiprocessor) {}

    /** @param partials room for partial results, {@link #PARTIAL_BYTES} of it, used by one kernel at a time */
    AttendDecode(Gpu gpu, KernelLibrary library, DeviceArena arena, long partials) {
        this.gpu = gpu;
        this.library = library;
        this.partials = partials;
        this.arrivals = arena.allocate(ARRIVAL_BYTES);
        gpu.stream().clear(arrivals, ARRIVAL_BYTES);
    }

    /** Whether there is a kernel for it. */
    boolean takes(CudaKvStorage kv, AttentionShape shape, int sequencesMax) {
        var compiled = find(shape, kv.layout().format());
        return compiled != null
                && compiled.sharedBytes(sequencesMax) <= gpu.info().sharedBytesMax();
    }

    private @Nullable DecodeKernel find(AttentionShape shape, KvFormat format) {
        return DecodeKernel.find(shape, format, gpu.info().computeCapability());
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
        var layout = kv.layout();
        var variant = variants.of(layout.format())
                .computeIfAbsent(shape, _ -> new HashMap<>())
                .computeIfAbsent(query.type(), type -> variant(shape, layout.format(), type, batch.sequencesMax()));
        int splits = splits(batch.sequences(), shape);
        int items = batch.sequences()
                * splits
                * layout.kvHeadCount()
                * variant.compiled().chunks(shape);
        int grid = Math.min(gpu.info().multiprocessors() * variant.blocksPerMultiprocessor(), items);
        variant.kernel()
                .launchEarly(
                        gpu.stream(),
                        Grid.of(grid, variant.compiled().threads()).withShared(variant.sharedBytes()),
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
                                .int32(Math.max(1, splitTokens / DecodeKernel.TILE_TOKENS))
                                .int32(splits));
    }

    /** As many as there is room for the results of. */
    private static int splits(int sequences, AttentionShape shape) {
        long bytesPerSplit = 4L * sequences * shape.headCount() * (shape.headSize() + DecodeKernel.PARTIAL_EXTRA);
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

    private Variant variant(AttentionShape shape, KvFormat format, DType type, int sequencesMax) {
        var compiled = find(shape, format);
        if (compiled == null) {
            throw new IllegalArgumentException("no decode attention for %s over %s".formatted(shape, format));
        }
        if (4L * sequencesMax * shape.kvHeadCount() * compiled.chunks(shape) > ARRIVAL_BYTES) {
            throw new IllegalArgumentException("%d sequences of %s are too many".formatted(sequencesMax, shape));
        }
        int shared = compiled.sharedBytes(sequencesMax);
        var kernel = library.kernel(compiled.source(), compiled.name(type)).withSharedBytes(shared);
        int blocks = kernel.blocksPerMultiprocessor(compiled.threads(), shared);
        return new Variant(kernel, compiled, shared, Math.max(1, blocks));
    }
}
