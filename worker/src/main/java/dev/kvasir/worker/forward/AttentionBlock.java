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
        Projection query,
        Projection key,
        Projection value,
        RowNorm queryNorm,
        RowNorm keyNorm,
        @Nullable RotaryTable rotary,
        ResidualUpdate output) {

    /** A weight with its bias. */
    record Projection(Weight weight, @Nullable Weight bias) {}

    void forward(Activations a, Matrix in, Batch batch, KvStorage kv) {
        int rows = batch.rowCount;
        kernels.multiply(a.query(), in, rows, query.weight(), query.bias(), false);
        kernels.multiply(a.key(), in, rows, key.weight(), key.bias(), false);
        kernels.multiply(a.value(), in, rows, value.weight(), value.bias(), false);
        queryNorm.apply(a.query(), a.query(), rows);
        keyNorm.apply(a.key(), a.key(), rows);
        if (rotary != null) {
            kernels.rotate(a.query(), rows, shape.headSize(), rotary, batch.positions);
            kernels.rotate(a.key(), rows, shape.headSize(), rotary, batch.positions);
        }
        kernels.writeKv(kv, layer, a.key(), a.value(), batch);
        kernels.attend(a.attended(), a.query(), kv, layer, batch, shape);
        output.apply(a, a.attended(), rows);
    }
}
