package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.Mlp;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import java.util.function.ToIntFunction;

/**
 * All that lives between the operations of a step, allocated once and shared by all layers.
 *
 * @param hidden the residual stream
 * @param normed input of attention or feed-forward
 * @param normedToo input of feed-forward where attention reads the same residual stream
 * @param update what attention or feed-forward adds, where it is changed before
 */
record Activations(
        Matrix hidden,
        Matrix normed,
        Matrix normedToo,
        Matrix update,
        Matrix query,
        Matrix key,
        Matrix value,
        Matrix attended,
        Matrix gate,
        Matrix up,
        Matrix last,
        Matrix logits) {

    static Activations allocate(Kernels kernels, ModelConfig config, DecoderLimits limits) {
        int rows = limits.rowsMax();
        int hidden = config.hiddenSize();
        int query = same(config, layer -> attention(layer).querySize());
        int key = same(config, layer -> attention(layer).keySize());
        int inner = same(config, layer -> mlp(layer).innerSize());
        int gate = same(config, layer -> mlp(layer).gated() ? mlp(layer).innerSize() : 1);
        boolean parallel = config.layers().getFirst().parallel();
        boolean updated = config.layers().stream().anyMatch(layer -> !ResidualUpdate.isDirect(layer));
        return new Activations(
                kernels.allocate(rows, hidden),
                kernels.allocate(rows, hidden),
                kernels.allocate(parallel ? rows : 1, hidden),
                kernels.allocate(updated ? rows : 1, hidden),
                kernels.allocate(rows, query),
                kernels.allocate(rows, key),
                kernels.allocate(rows, key),
                kernels.allocate(rows, query),
                kernels.allocate(rows, gate),
                kernels.allocate(rows, inner),
                kernels.allocate(limits.logitRowsMax(), hidden),
                kernels.allocate(limits.logitRowsMax(), config.vocabSize()));
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
