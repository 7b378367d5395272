package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Layer;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Weight;
import org.jspecify.annotations.Nullable;

/** Adds the last projection of attention or feed-forward to the residual stream. */
sealed interface ResidualUpdate {
    void apply(Activations activations, Matrix in, int rows);

    /** Whether nothing happens to the projection in between, so that it can be added as it is computed. */
    static boolean isDirect(Layer layer) {
        return !layer.placement().after() && layer.residualScale() == 1;
    }

    /** All of it is computed here. */
    record Whole(Kernels kernels, Weight weight, @Nullable Weight bias, RowNorm norm, float scale, boolean direct)
            implements ResidualUpdate {
        @Override
        public void apply(Activations activations, Matrix in, int rows) {
            if (direct) {
                kernels.multiply(activations.hidden(), in, rows, weight, bias, true);
                return;
            }
            kernels.multiply(activations.update(), in, rows, weight, bias, false);
            norm.apply(activations.update(), activations.update(), rows);
            kernels.add(activations.hidden(), activations.update(), rows, scale);
        }
    }

    /**
     * Every rank computes with the inputs that it has; the sum is the projection.
     *
     * @param turn which of the two matrices for parts it takes: those of updates that follow each other differ
     */
    record Split(
            Kernels kernels,
            Exchange exchange,
            int turn,
            Weight weight,
            @Nullable Weight bias,
            RowNorm norm,
            float scale,
            boolean direct)
            implements ResidualUpdate {
        @Override
        public void apply(Activations activations, Matrix in, int rows) {
            var part = activations.parts().get(turn);
            kernels.multiply(part, in, rows, weight, bias, false);
            if (direct) {
                exchange.sum(activations.hidden(), part, rows, true);
                return;
            }
            exchange.sum(activations.update(), part, rows, false);
            norm.apply(activations.update(), activations.update(), rows);
            kernels.add(activations.hidden(), activations.update(), rows, scale);
        }
    }
}
