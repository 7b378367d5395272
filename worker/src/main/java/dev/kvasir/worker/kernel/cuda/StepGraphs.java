package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.DeviceGraph;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.PreparationProgress;
import org.jspecify.annotations.Nullable;

/**
 * Recorded steps that generate one token for each of several sequences, one for each batch size of {@link GraphBuckets}.
 * They are submitted with one call, where issuing their operations one by one would take longer than the device computes.
 */
final class StepGraphs {
    private final Gpu gpu;
    private final GraphBuckets buckets;
    private final @Nullable StepGraph[] graphs;

    /** Issues a step of so many rows; when not recording, copies its batch first. */
    @FunctionalInterface
    interface StepIssuer {
        void issue(int rows, boolean recording);
    }

    /** A recorded step of so many rows. */
    record StepGraph(int rows, DeviceGraph graph) {
        void launch(Stream stream) {
            graph.launch(stream);
        }
    }

    StepGraphs(Gpu gpu, int sequencesMax) {
        this.gpu = gpu;
        this.buckets = new GraphBuckets(sequencesMax);
        this.graphs = new StepGraph[buckets.count()];
    }

    /**
     * Records all sizes, largest first so that libraries take their memory at once. Each is run before: what libraries do at
     * the first call of a shape cannot be recorded.
     */
    void record(Batch batch, StepIssuer issuer, PreparationProgress progress) {
        for (int i = buckets.count() - 1; i >= 0; i--) {
            int rows = buckets.size(i);
            fill(batch, rows);
            issuer.issue(rows, false);
            gpu.stream().synchronize();
            graphs[i] = new StepGraph(rows, gpu.record(() -> issuer.issue(rows, true)));
            progress.prepared(buckets.count() - i, buckets.count());
        }
        gpu.stream().synchronize();
        batch.clear();
    }

    private static void fill(Batch batch, int rows) {
        int[] token = {0};
        int[] table = {0};
        batch.clear();
        for (int i = 0; i < rows; i++) {
            batch.add(token, 0, 1, table, 0);
        }
    }

    /** The recorded step that computes a batch: one row of each sequence, all of whose logits are wanted. */
    @Nullable
    StepGraph find(Batch batch) {
        if (batch.rowCount == 0
                || batch.sequenceCount != batch.rowCount
                || batch.logitRowCount != batch.rowCount
                || batch.rowCount > buckets.size(buckets.count() - 1)) {
            return null;
        }
        return graphs[buckets.indexFor(batch.rowCount)];
    }
}
