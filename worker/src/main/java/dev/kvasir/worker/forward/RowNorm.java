package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Weight;

/** A norm with its weights, ready to compute; or none. */
@FunctionalInterface
interface RowNorm {
    /** No norm: the result is what came in. */
    RowNorm NONE = (_, in, _) -> in;

    /** Normalises rows into {@code out}, which may be {@code in}; returns where the result is. */
    Matrix apply(Matrix out, Matrix in, int rows);

    /** The same after the sum of all ranks' parts was added to {@code in}. */
    default Matrix applyToSum(Exchange exchange, Matrix out, Matrix in, Matrix part, int rows) {
        exchange.sum(in, part, rows, true);
        return apply(out, in, rows);
    }

    /** By the root of the mean square. */
    record Rms(Kernels kernels, Weight weight, float epsilon, float weightOffset) implements RowNorm {
        @Override
        public Matrix apply(Matrix out, Matrix in, int rows) {
            kernels.rmsNorm(out, in, rows, weight, epsilon, weightOffset);
            return out;
        }

        @Override
        public Matrix applyToSum(Exchange exchange, Matrix out, Matrix in, Matrix part, int rows) {
            return exchange.sumAndNormalise(out, in, part, rows, weight, epsilon, weightOffset)
                    ? out
                    : RowNorm.super.applyToSum(exchange, out, in, part, rows);
        }
    }
}
