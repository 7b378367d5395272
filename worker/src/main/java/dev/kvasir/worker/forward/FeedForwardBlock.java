package dev.kvasir.worker.forward;

import dev.kvasir.worker.forward.AttentionBlock.Projection;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import org.jspecify.annotations.Nullable;

/**
 * Feed-forward of one layer: adds to the residual stream.
 *
 * @param gate null where there is none
 */
record FeedForwardBlock(
        Kernels kernels, Activation activation, @Nullable Projection gate, Projection up, ResidualUpdate down) {

    void forward(Activations a, Matrix in, int rows) {
        kernels.multiply(a.up(), in, rows, up.weight(), up.bias(), false);
        if (gate == null) {
            kernels.activate(a.up(), rows, activation);
            down.apply(a, a.up(), rows);
            return;
        }
        kernels.multiply(a.gate(), in, rows, gate.weight(), gate.bias(), false);
        kernels.gate(a.gate(), a.up(), rows, activation);
        down.apply(a, a.gate(), rows);
    }
}
