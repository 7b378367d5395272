package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;

/** One layer: attention, then feed-forward; or both from the same input. */
record DecoderLayer(
        RowNorm attentionNorm,
        AttentionBlock attention,
        RowNorm feedForwardNorm,
        FeedForwardBlock feedForward,
        boolean parallel) {

    /**
     * Computes the layer.
     *
     * @param in the residual stream as {@link #attentionNorm} has normalised it
     * @param next the norm of what follows; returns the residual stream as it has normalised that
     */
    Matrix forward(Activations a, Matrix in, Batch batch, KvStorage kv, RowNorm next) {
        int rows = batch.rowCount;
        if (parallel) {
            Matrix feedForwardInput = feedForwardNorm.apply(a.normedToo(), a.hidden(), rows);
            attention.forward(a, in, batch, kv, RowNorm.NONE);
            return feedForward.forward(a, feedForwardInput, rows, next);
        }
        return feedForward.forward(a, attention.forward(a, in, batch, kv, feedForwardNorm), rows, next);
    }
}
