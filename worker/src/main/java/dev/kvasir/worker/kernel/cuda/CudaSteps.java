package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.StepLimits;
import org.jspecify.annotations.Nullable;

/**
 * Puts steps on the stream: copies the batch, then submits a recorded step or has operations issued one by one. While they
 * are issued the batch is on the device; lists of other batches are copied first, which waits for the device.
 */
final class CudaSteps {
    private final Gpu gpu;
    private final BatchMirror mirror;
    private final StepGraphs graphs;
    private @Nullable CudaKvStorage kv;
    private @Nullable Batch current;

    CudaSteps(Gpu gpu, DeviceArena arena, StepLimits limits) {
        this.gpu = gpu;
        mirror = new BatchMirror(gpu, arena, limits);
        graphs = new StepGraphs(gpu, limits.sequencesMax());
    }

    /** From now on steps write to these blocks. */
    void use(CudaKvStorage storage) {
        kv = storage;
    }

    void prepare(Batch batch, Runnable forward, PreparationProgress progress) {
        graphs.record(batch, (rows, recording) -> issue(batch, forward, rows, recording), progress);
    }

    private void issue(Batch batch, Runnable forward, int rows, boolean recording) {
        if (!recording) {
            upload(batch, rows);
        }
        current = batch;
        try {
            forward.run();
        } finally {
            current = null;
        }
    }

    void compute(Batch batch, Runnable forward) {
        var graph = graphs.find(batch);
        if (graph != null) {
            upload(batch, graph.rows());
            graph.launch(gpu.stream());
        } else {
            issue(batch, forward, batch.rowCount, false);
        }
    }

    private void upload(Batch batch, int rows) {
        if (kv == null) {
            mirror.upload(batch, rows, Integer.MAX_VALUE, 0);
        } else {
            mirror.upload(batch, rows, kv.layout().blockSize(), kv.spareBlock());
        }
    }

    /** Whether a list is the one of token ids of the batch that is issued. */
    @SuppressWarnings("ReferenceEquality") // Whether it is the batch's own list, not equal contents.
    boolean issues(int[] tokenIds) {
        return current != null && tokenIds == current.tokenIds;
    }

    /** Where the device has a list of the batch that is issued, or a copy of another list. */
    @SuppressWarnings("ReferenceEquality") // Whether it is the batch's own list, not equal contents.
    long list(int[] list, int from, int count) {
        gpu.enter();
        if (current != null) {
            if (list == current.tokenIds) {
                return mirror.tokenIds() + 4L * from;
            }
            if (list == current.positions) {
                return mirror.positions() + 4L * from;
            }
            if (list == current.logitRows) {
                return mirror.logitRows() + 4L * from;
            }
        }
        return mirror.uploadOther(list, from, count);
    }

    /** The device's copy of a batch. */
    @SuppressWarnings("ReferenceEquality") // Whether it is the batch that is issued.
    BatchMirror mirror(Batch batch, CudaKvStorage storage) {
        gpu.enter();
        if (batch != current) {
            mirror.upload(batch, batch.rowCount, storage.layout().blockSize(), storage.spareBlock());
        }
        return mirror;
    }
}
