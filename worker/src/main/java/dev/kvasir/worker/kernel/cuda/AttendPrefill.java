package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Attention of sequences that compute several tokens each, on tensor cores: by warpgroup products where the GPU has them.
 * Leaves sequences of one token alone. Few new tokens after a long context that is known have their keys split over blocks.
 */
final class AttendPrefill {
    private static final int ROWS_MIN = 2;

    private final Gpu gpu;
    private final KernelLibrary library;
    private final long partials;
    private final long arrivals;
    private final Map<String, DeviceKernel> kernels = new HashMap<>();

    /** @param partials room for partial results, {@link AttendDecode#PARTIAL_BYTES} of it, used by one kernel at a time */
    AttendPrefill(Gpu gpu, KernelLibrary library, DeviceArena arena, long partials) {
        this.gpu = gpu;
        this.library = library;
        this.partials = partials;
        long bytes = 4L * gpu.info().multiprocessors();
        arrivals = arena.allocate(bytes);
        gpu.stream().clear(arrivals, bytes);
    }

    /** Whether there is a kernel for it. */
    boolean takes(CudaKvStorage kv, AttentionShape shape) {
        var compiled = find(shape, kv.layout().format());
        return compiled != null && compiled.sharedBytes() <= gpu.info().sharedBytesMax();
    }

    private @Nullable PrefillKernel find(AttentionShape shape, KvFormat format) {
        return PrefillKernel.find(shape, format, gpu.info().computeCapability());
    }

    void run(
            CudaMatrix out,
            CudaMatrix query,
            CudaKvStorage kv,
            int layer,
            Batch host,
            BatchMirror batch,
            AttentionShape shape) {
        var layout = kv.layout();
        var compiled = find(shape, layout.format());
        if (compiled == null) {
            throw new IllegalArgumentException("no prefill attention for %s over %s".formatted(shape, layout.format()));
        }
        int group = shape.headCount() / shape.kvHeadCount();
        int tiles = 0;
        int prompts = 0;
        int keyTiles = 0;
        for (int s = 0; s < host.sequenceCount; s++) {
            int rows = host.rowStart[s + 1] - host.rowStart[s];
            tiles += rows >= ROWS_MIN ? Math.ceilDiv(rows * group, compiled.tileRows()) : 0;
            prompts += rows >= ROWS_MIN ? 1 : 0;
            keyTiles = rows >= ROWS_MIN
                    ? Math.max(keyTiles, compiled.keyTilesMax(host.contextLength[s], group, shape.window()))
                    : keyTiles;
        }
        if (tiles == 0) {
            return;
        }
        int shared = compiled.sharedBytes();
        var split = KeySplit.of(shape.kvHeadCount() * tiles, keyTiles, compiled.splitTilesMin(), blocksMax(compiled));
        var kernel = kernels.computeIfAbsent(
                compiled.name(query.type(), split.parts() > 1),
                name -> library.kernel(compiled.source(), name).withSharedBytes(shared));
        kernel.launchEarly(
                gpu.stream(),
                grid(compiled, shape.kvHeadCount(), tiles, prompts, split).withShared(shared),
                new Arguments()
                        .pointer(out.address())
                        .pointer(query.address())
                        .pointer(kv.layer(layer))
                        .pointer(batch.blockTables())
                        .pointer(batch.contextLength())
                        .pointer(batch.rowStart())
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
                        .int32(ROWS_MIN)
                        .pointer(partials)
                        .pointer(arrivals)
                        .int32(split.tiles()));
    }

    /** Blocks that wait for each other must all have their place, and room for what they leave. */
    private int blocksMax(PrefillKernel compiled) {
        return (int) Math.min(gpu.info().multiprocessors(), AttendDecode.PARTIAL_BYTES / compiled.partBytes());
    }

    /** One prompt is computed by blocks that stay; tiles of several are balanced better by the device. */
    private Grid grid(PrefillKernel compiled, int kvHeads, int tiles, int prompts, KeySplit split) {
        if (split.parts() > 1) {
            return Grid.of(kvHeads, tiles, split.parts(), compiled.threads());
        }
        if (!compiled.warpgroups()) {
            return Grid.of(kvHeads, tiles, compiled.threads());
        }
        int multiprocessors = gpu.info().multiprocessors();
        return prompts == 1 && kvHeads * tiles >= multiprocessors
                ? Grid.of(multiprocessors, compiled.threads())
                : Grid.of(kvHeads, tiles, compiled.threads());
    }
}
