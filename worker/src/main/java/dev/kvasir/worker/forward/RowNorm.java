package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Matrix;

/** A norm with its weights, ready to compute; or none. */
@FunctionalInterface
interface RowNorm {
    /** No norm: the result is what came in. */
    RowNorm NONE = (_, in, _) -> in;

    /** Normalises rows into {@code out}, which may be {@code in}; returns where the result is. */
    Matrix apply(Matrix out, Matrix in, int rows);
}
