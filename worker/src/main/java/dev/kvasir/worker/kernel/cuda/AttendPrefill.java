package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Attention of sequences that compute several tokens each, on tensor cores: by warpgroup products where the GPU has them.
 * Leaves sequences of one token alone.
 */
final class AttendPrefill {
    private static final Set<Integer> HEAD_SIZES = Set.of(64, 80, 96, 128, 256);
    private static final int ROWS_MIN = 2;

    private final Gpu gpu;
    private final KernelLibrary library;
    private final boolean warpgroups;
    private final Map<String, DeviceKernel> kernels = new HashMap<>();

    AttendPrefill(Gpu gpu, KernelLibrary library) {
        this.gpu = gpu;
        this.library = library;
        this.warpgroups = gpu.info().computeCapability() == 90;
    }

    /** Whether there is a kernel for it. */
    boolean takes(CudaMatrix query, CudaKvStorage kv, AttentionShape shape) {
        var layout = kv.layout();
        return query.type() == layout.dtype()
                && query.type() != DType.F32
                && layout.keySize() == shape.headSize()
                && layout.valueSize() == shape.headSize()
                && query.stride() % 8 == 0
                && query.address() % 16 == 0
                && HEAD_SIZES.contains(shape.headSize())
                && shared(shape.headSize()) <= gpu.info().sharedBytesMax();
    }

    private int shared(int headSize) {
        return warpgroups ? warpgroupSharedBytes(headSize) : sharedBytes(headSize);
    }

    void run(
            CudaMatrix out,
            CudaMatrix query,
            CudaKvStorage kv,
            int layer,
            Batch host,
            BatchMirror batch,
            AttentionShape shape) {
        int headSize = shape.headSize();
        int group = shape.headCount() / shape.kvHeadCount();
        int tileRows = warpgroups ? 128 : 64;
        int tiles = 0;
        int prompts = 0;
        for (int s = 0; s < host.sequenceCount; s++) {
            int rows = host.rowStart[s + 1] - host.rowStart[s];
            tiles += rows >= ROWS_MIN ? Math.ceilDiv(rows * group, tileRows) : 0;
            prompts += rows >= ROWS_MIN ? 1 : 0;
        }
        if (tiles == 0) {
            return;
        }
        int shared = shared(headSize);
        var name = "%s_%s_%d"
                .formatted(
                        warpgroups ? "attend_prefill_wgmma" : "attend_prefill",
                        KernelLibrary.suffix(query.type()),
                        headSize);
        var kernel = kernels.computeIfAbsent(
                name,
                _ -> library.kernel(warpgroups ? "AttendPrefillWgmma" : "AttendPrefill", name)
                        .withSharedBytes(shared));
        var layout = kv.layout();
        kernel.launch(
                gpu.stream(),
                grid(shape.kvHeadCount(), tiles, prompts).withShared(shared),
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
                        .int32(ROWS_MIN));
    }

    /** One prompt is computed by blocks that stay; tiles of several are balanced better by the device. */
    private Grid grid(int kvHeads, int tiles, int prompts) {
        if (!warpgroups) {
            return Grid.of(kvHeads, tiles, 128);
        }
        int multiprocessors = gpu.info().multiprocessors();
        return prompts == 1 && kvHeads * tiles >= multiprocessors
                ? Grid.of(multiprocessors, 384)
                : Grid.of(kvHeads, tiles, 384);
    }

    private static int warpgroupSharedBytes(int headSize) {
        int keys = headSize > 128 ? 64 : 128;
        return 1024 + (128 + 4 * keys) * Math.ceilDiv(headSize, 64) * 128;
    }

    private static int sharedBytes(int headSize) {
        int keys = headSize > 128 ? 32 : 64;
        return (64 + 4 * keys) * AttendDecode.rowBytes(headSize);
    }
}
