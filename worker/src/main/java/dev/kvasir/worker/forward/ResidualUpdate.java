package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Layer;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Weight;
import org.jspecify.annotations.Nullable;

/**
 * Adds the last projection of attention or feed-forward to the residual stream.
 *
 * @param direct nothing happens to the projection in between, so that it can be added as it is computed
 */
record ResidualUpdate(
        Kernels kernels, Weight weight, @Nullable Weight bias, RowNorm norm, float scale, boolean direct) {

    static boolean isDirect(Layer layer) {
        return !layer.placement().after() && layer.residualScale() == 1;
    }

    void apply(Activations activations, Matrix in, int rows) {
        if (direct) {
            kernels.multiply(activations.hidden(), in, rows, weight, bias, true);
            return;
        }
        kernels.multiply(activations.update(), in, rows, weight, bias, false);
        norm.apply(activations.update(), activations.update(), rows);
        kernels.add(activations.hidden(), activations.update(), rows, scale);
    }
}
