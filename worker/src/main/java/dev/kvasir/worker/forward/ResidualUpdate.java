package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Layer;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Weight;
import org.jspecify.annotations.Nullable;

/** Adds the last projection of attention or feed-forward to the residual stream, which what comes next has normalised. */
sealed interface ResidualUpdate {
    /** Returns where the normalised residual stream is. */
    Matrix apply(Activations activations, Matrix in, int rows, RowNorm next);

    /** Whether nothing happens to the projection in between, so that it can be added as it is computed. */
    static boolean isDirect(Layer layer) {
        return !layer.placement().after() && layer.residualScale() == 1;
    }

    /** All of it is computed here. */
    record Whole(Kernels kernels, Weight weight, @Nullable Weight bias, RowNorm norm, float scale, boolean direct)
            implements ResidualUpdate {
        @Override
        public Matrix apply(Activations activations, Matrix in, int rows, RowNorm next) {
            if (direct) {
                kernels.multiply(activations.hidden(), in, rows, weight, bias, true);
            } else {
                kernels.multiply(activations.update(), in, rows, weight, bias, false);
                norm.apply(activations.update(), activations.update(), rows);
                kernels.add(activations.hidden(), activations.update(), rows, scale);
            }
            return next.apply(activations.normed(), activations.hidden(), rows);
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
        public Matrix apply(Activations activations, Matrix in, int rows, RowNorm next) {
            var part = activations.parts().get(turn);
            kernels.multiply(part, in, rows, weight, bias, false);
            if (direct) {
                return next.applyToSum(exchange, activations.normed(), activations.hidden(), part, rows);
            }
            exchange.sum(activations.update(), part, rows, false);
            norm.apply(activations.update(), activations.update(), rows);
            kernels.add(activations.hidden(), activations.update(), rows, scale);
            return next.apply(activations.normed(), activations.hidden(), rows);
        }
    }
}
