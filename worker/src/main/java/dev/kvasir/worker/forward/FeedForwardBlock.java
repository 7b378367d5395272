package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;

/**
 * Feed-forward of one layer: adds to the residual stream.
 *
 * @param inner gate and up, or up alone where there is no gate
 */
record FeedForwardBlock(Kernels kernels, Activation activation, ProjectionGroup inner, ResidualUpdate down) {

    /** Returns the residual stream as {@code next} has normalised it. */
    Matrix forward(Activations a, Matrix in, int rows, RowNorm next) {
        var first = a.inner().parts().getFirst();
        var whole = inner.whole();
        if (inner.parts().size() == 2
                && whole != null
                && whole.bias() == null
                && a.inner().whole() != null) {
            return down.apply(a, kernels.multiplyGated(a.inner(), in, rows, whole.weight(), activation), rows, next);
        }
        inner.apply(a.inner(), in, rows);
        if (inner.parts().size() == 1) {
            kernels.activate(first, rows, activation);
        } else {
            kernels.gate(first, a.inner().parts().getLast(), rows, activation);
        }
        return down.apply(a, first, rows, next);
    }
}
