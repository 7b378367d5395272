package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Weight;
import org.jspecify.annotations.Nullable;

/** Attention of one layer: reads and extends the layer's keys and values, adds to the residual stream. */
record AttentionBlock(
        Kernels kernels,
        int layer,
        AttentionShape shape,
        ProjectionGroup heads,
        RowNorm queryNorm,
        RowNorm keyNorm,
        @Nullable RotaryTable rotary,
        ResidualUpdate output) {

    /** A weight with its bias. */
    record Projection(Weight weight, @Nullable Weight bias) {}

    /** Returns the residual stream as {@code next} has normalised it. */
    Matrix forward(Activations a, Matrix in, Batch batch, KvStorage kv, RowNorm next) {
        int rows = batch.rowCount;
        heads.apply(a.heads(), in, rows);
        queryNorm.apply(a.query(), a.query(), rows);
        keyNorm.apply(a.key(), a.key(), rows);
        kernels.rotateAndWriteKv(a.query(), a.key(), a.value(), rotary, kv, layer, batch);
        kernels.attend(a.attended(), a.query(), kv, layer, batch, shape);
        return output.apply(a, a.attended(), rows, next);
    }
}
