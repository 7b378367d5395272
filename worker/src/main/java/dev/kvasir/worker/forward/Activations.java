package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.Mlp;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MatrixGroup;
import java.util.List;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/**
 * All that lives between the operations of a step, allocated once and shared by all layers.
 *
 * @param hidden the residual stream
 * @param normed input of attention or feed-forward
 * @param normedToo input of feed-forward where attention reads the same residual stream
 * @param heads queries, keys and values
 * @param inner of feed-forward: gate and up, or up alone
 * @param update what attention or feed-forward adds, where it is changed before
 * @param parts of updates, in turn, where the model is split
 * @param logits that are computed here
 */
record Activations(
        Matrix hidden,
        Matrix normed,
        Matrix normedToo,
        Matrix update,
        MatrixGroup heads,
        Matrix attended,
        MatrixGroup inner,
        List<Matrix> parts,
        Matrix last,
        Matrix logits) {

    /**
     * Makes room.
     *
     * @param config of the part of the model that is computed here
     * @param exchange with the ranks that compute the others; null where there are none
     * @param logits of the same part
     */
    static Activations allocate(
            Kernels kernels, ModelConfig config, DecoderLimits limits, @Nullable Exchange exchange, Matrix logits) {
        int rows = limits.rowsMax();
        int hidden = config.hiddenSize();
        int query = same(config, layer -> attention(layer).querySize());
        int key = same(config, layer -> attention(layer).keySize());
        int inner = same(config, layer -> mlp(layer).innerSize());
        boolean gated = same(config, layer -> mlp(layer).gated() ? 1 : 0) == 1;
        boolean parallel = config.layers().getFirst().parallel();
        boolean updated = config.layers().stream().anyMatch(layer -> !ResidualUpdate.isDirect(layer));
        return new Activations(
                kernels.allocate(rows, hidden),
                kernels.allocate(rows, hidden),
                kernels.allocate(parallel ? rows : 1, hidden),
                kernels.allocate(updated ? rows : 1, hidden),
                kernels.allocateGroup(rows, query, key, key),
                kernels.allocate(rows, query),
                gated ? kernels.allocateGroup(rows, inner, inner) : kernels.allocateGroup(rows, inner),
                exchange == null
                        ? List.of()
                        : List.of(exchange.allocatePart(rows, hidden), exchange.allocatePart(rows, hidden)),
                kernels.allocate(limits.logitRowsMax(), hidden),
                logits);
    }

    Matrix query() {
        return heads.parts().get(0);
    }

    Matrix key() {
        return heads.parts().get(1);
    }

    Matrix value() {
        return heads.parts().get(2);
    }

    static Attention attention(Layer layer) {
        return switch (layer.mixer()) {
            case Attention attention -> attention;
        };
    }

    static Mlp mlp(Layer layer) {
        return switch (layer.feedForward()) {
            case Mlp mlp -> mlp;
        };
    }

    private static int same(ModelConfig config, ToIntFunction<Layer> size) {
        int first = size.applyAsInt(config.layers().getFirst());
        if (config.layers().stream().anyMatch(layer -> size.applyAsInt(layer) != first)) {
            throw new IllegalArgumentException(config.architecture() + " has layers of different sizes");
        }
        return first;
    }
}
