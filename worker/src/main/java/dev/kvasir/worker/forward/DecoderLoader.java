package dev.kvasir.worker.forward;

import dev.kvasir.model.config.ActivationFunction;
import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.Norm;
import dev.kvasir.model.config.Rotary;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.worker.forward.AttentionBlock.Projection;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Weight;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Turns a configuration and its weights into layers that are ready to compute, all choices made. */
final class DecoderLoader {
    private final Kernels kernels;
    private final ModelConfig config;
    private final DecoderWeights weights;
    private final @Nullable Exchange exchange;
    private final int servedLength;
    private final Map<Rotary, RotaryTable> rotaryTables = new HashMap<>();

    /**
     * Of one rank.
     *
     * @param config of the part of the model that is computed here
     * @param exchange with other ranks; null where there are none
     */
    DecoderLoader(
            Kernels kernels,
            ModelConfig config,
            DecoderWeights weights,
            @Nullable Exchange exchange,
            int servedLength) {
        this.kernels = kernels;
        this.exchange = exchange;
        this.config = config;
        this.weights = weights;
        this.servedLength = servedLength;
    }

    List<DecoderLayer> layers() {
        var layers = new ArrayList<DecoderLayer>(config.layers().size());
        for (int number = 0; number < config.layers().size(); number++) {
            layers.add(layer(number, config.layers().get(number)));
        }
        return List.copyOf(layers);
    }

    private DecoderLayer layer(int number, Layer layer) {
        return new DecoderLayer(
                norm(number, layer.norm(), WeightRole.ATTENTION_PRE_NORM, WeightRole.ATTENTION_PRE_NORM_BIAS),
                attention(number, layer),
                norm(number, layer.norm(), WeightRole.FEED_FORWARD_PRE_NORM, WeightRole.FEED_FORWARD_PRE_NORM_BIAS),
                feedForward(number, layer),
                layer.parallel());
    }

    private AttentionBlock attention(int number, Layer layer) {
        var attention = Activations.attention(layer);
        var rotary = attention.rotary();
        var heads = group(
                number,
                List.of(WeightRole.QUERY, WeightRole.KEY, WeightRole.VALUE),
                List.of(WeightRole.QUERY_BIAS, WeightRole.KEY_BIAS, WeightRole.VALUE_BIAS));
        var output = projection(number, WeightRole.ATTENTION_OUTPUT, WeightRole.ATTENTION_OUTPUT_BIAS);
        return new AttentionBlock(
                kernels,
                number,
                shape(attention),
                heads,
                norm(number, layer.norm(), WeightRole.QUERY_NORM, null),
                norm(number, layer.norm(), WeightRole.KEY_NORM, null),
                rotary == null ? null : rotaryTables.computeIfAbsent(rotary, this::table),
                residual(number, layer, 0, output, WeightRole.ATTENTION_POST_NORM));
    }

    private FeedForwardBlock feedForward(int number, Layer layer) {
        var mlp = Activations.mlp(layer);
        var inner = mlp.gated()
                ? group(
                        number,
                        List.of(WeightRole.GATE, WeightRole.UP),
                        List.of(WeightRole.GATE_BIAS, WeightRole.UP_BIAS))
                : group(number, List.of(WeightRole.UP), List.of(WeightRole.UP_BIAS));
        var down = projection(number, WeightRole.DOWN, WeightRole.DOWN_BIAS);
        return new FeedForwardBlock(
                kernels,
                activation(mlp.activation()),
                inner,
                residual(number, layer, 1, down, WeightRole.FEED_FORWARD_POST_NORM));
    }

    private ResidualUpdate residual(int number, Layer layer, int turn, Projection last, WeightRole postNorm) {
        var norm = norm(number, layer.norm(), postNorm, null);
        boolean direct = ResidualUpdate.isDirect(layer);
        float scale = layer.residualScale();
        return exchange == null
                ? new ResidualUpdate.Whole(kernels, last.weight(), last.bias(), norm, scale, direct)
                : new ResidualUpdate.Split(kernels, exchange, turn, last.weight(), last.bias(), norm, scale, direct);
    }

    private static AttentionShape shape(Attention attention) {
        return new AttentionShape(
                attention.headCount(),
                attention.kvHeadCount(),
                attention.headSize(),
                attention.scale(),
                attention.window(),
                attention.softcap());
    }

    private RotaryTable table(Rotary rotary) {
        return new RotaryTable(
                rotary.inverseFrequencies(servedLength),
                (float) rotary.scaling().attentionFactor(),
                rotary.interleaved());
    }

    private static Activation activation(ActivationFunction function) {
        return switch (function) {
            case SILU -> Activation.SILU;
            case GELU -> Activation.GELU;
            case GELU_TANH -> Activation.GELU_TANH;
            case RELU -> Activation.RELU;
        };
    }

    /** Weights are loaded one after another, then biases: a device that joins them finds them side by side. */
    private ProjectionGroup group(int number, List<WeightRole> roles, List<WeightRole> biasRoles) {
        var matrices =
                roles.stream().map(role -> required(find(number, role), role)).toList();
        var projections = new ArrayList<Projection>();
        for (int i = 0; i < matrices.size(); i++) {
            projections.add(new Projection(matrices.get(i), find(number, biasRoles.get(i))));
        }
        return ProjectionGroup.of(kernels, List.copyOf(projections));
    }

    private Projection projection(int number, WeightRole role, WeightRole bias) {
        return new Projection(required(find(number, role), role), find(number, bias));
    }

    /** No norm where the configuration calls for none. */
    private RowNorm norm(int number, Norm norm, WeightRole role, @Nullable WeightRole bias) {
        var weight = find(number, role);
        return weight == null ? RowNorm.NONE : norm(norm, weight, bias == null ? null : find(number, bias));
    }

    RowNorm finalNorm() {
        var weight = required(find(WeightRole.FINAL_NORM), WeightRole.FINAL_NORM);
        return norm(config.finalNorm(), weight, find(WeightRole.FINAL_NORM_BIAS));
    }

    private RowNorm norm(Norm norm, Weight weight, @Nullable Weight bias) {
        return switch (norm.kind()) {
            case RMS -> new RowNorm.Rms(kernels, weight, norm.epsilon(), norm.weightOffset());
            case LAYER ->
                (out, in, rows) -> {
                    kernels.layerNorm(out, in, rows, weight, bias, norm.epsilon());
                    return out;
                };
        };
    }

    Weight embedding() {
        return required(find(WeightRole.EMBEDDING), WeightRole.EMBEDDING);
    }

    /** Null where positions are not learned. */
    @Nullable
    Weight positions() {
        return find(WeightRole.POSITIONS);
    }

    /** Null where the embedding table is used. */
    @Nullable
    Weight output() {
        return find(WeightRole.OUTPUT);
    }

    private @Nullable Weight find(WeightRole role) {
        return weights.find(role);
    }

    private @Nullable Weight find(int number, WeightRole role) {
        return weights.find(number, role);
    }

    private static Weight required(@Nullable Weight weight, WeightRole role) {
        if (weight == null) {
            throw new IllegalStateException("the configuration calls for no " + role);
        }
        return weight;
    }
}
