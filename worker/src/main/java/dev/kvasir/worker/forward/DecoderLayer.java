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

    void forward(Activations a, Batch batch, KvStorage kv) {
        int rows = batch.rowCount;
        Matrix attentionInput = attentionNorm.apply(a.normed(), a.hidden(), rows);
        if (parallel) {
            Matrix feedForwardInput = feedForwardNorm.apply(a.normedToo(), a.hidden(), rows);
            attention.forward(a, attentionInput, batch, kv);
            feedForward.forward(a, feedForwardInput, rows);
            return;
        }
        attention.forward(a, attentionInput, batch, kv);
        feedForward.forward(a, feedForwardNorm.apply(a.normed(), a.hidden(), rows), rows);
    }
}
