package dev.kvasir.model.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What sets one family of models apart, stated once: which configuration keys and tensor names it uses and which choices
 * it makes. {@link #read} turns a configuration file into a {@link ModelConfig}, in which no family is named any more.
 *
 * @param architectures values of {@code architectures} in configuration files
 * @param nestedIn key of the object that holds the decoder's configuration; empty where it is the file itself
 * @param sizeDefaults sizes that files of this family may leave out, by key
 */
public record ModelFamily(
        String modelType,
        List<String> architectures,
        String nestedIn,
        SizeKeys keys,
        Map<String, Integer> sizeDefaults,
        NormChoice norm,
        FeedForwardChoice feedForward,
        AttentionChoice attention,
        Biases biases,
        Multipliers multipliers,
        Flag parallel,
        boolean learnedPositions,
        boolean tiedDefault,
        TensorNames tensors) {

    static final int LAYERS_MAX = 1024;
    static final int WIDTH_MAX = 1 << 20;
    static final int HEADS_MAX = 4096;
    static final int VOCABULARY_MAX = 1 << 23;
    static final int POSITIONS_MAX = 1 << 27;
    private static final int EOS_TOKENS_MAX = 64;

    /** A choice that configurations of a family may make. */
    @FunctionalInterface
    public interface Flag {
        boolean in(ConfigJson config);

        Flag NEVER = _ -> false;
        Flag ALWAYS = _ -> true;

        static Flag key(String key, boolean whenAbsent) {
            return config -> config.flag(key, whenAbsent);
        }
    }

    /** How far each layer sees; 0 is all. */
    @FunctionalInterface
    public interface WindowChoice {
        int of(ConfigJson config, int layer);
    }

    /** How each layer rotates; null for not at all. */
    @FunctionalInterface
    interface RotaryChoice {
        @Nullable
        RotaryKeys of(ConfigJson config, int layer);
    }

    /** Names of keys that families spell differently. */
    public record SizeKeys(
            String hidden, String layers, String heads, String kvHeads, String positions, String inner) {}

    /** Norms around attention and feed-forward, and the last one. */
    public record NormChoice(
            Norm.Kind kind, String epsilonKey, double epsilonDefault, float weightOffset, NormPlacement placement) {}

    /**
     * Feed-forward layers.
     *
     * @param innerTimesHidden inner size as a multiple of the hidden one where a file leaves it out; 0 for never
     */
    public record FeedForwardChoice(
            boolean gated, String activationKey, String activationDefault, int innerTimesHidden) {}

    /** What multiplies a layer's scores. */
    @FunctionalInterface
    public interface ScoreScale {
        double of(ConfigJson config, int layer, int headSize);
    }

    record AttentionChoice(
            QueryKeyNorm queryKeyNorm,
            ScoreScale scale,
            WindowChoice window,
            RotaryChoice rotary,
            ToDoubleFunction<ConfigJson> softcap) {}

    /** Which projections have biases: of queries, keys and values; of attention's output; of the feed-forward part. */
    public record Biases(Flag attention, Flag output, Flag feedForward) {}

    /** Constants in the residual stream and at its ends. */
    public record Multipliers(
            ToDoubleFunction<ConfigJson> embedding,
            ToDoubleFunction<ConfigJson> residual,
            ToDoubleFunction<ConfigJson> logits,
            ToDoubleFunction<ConfigJson> logitSoftcap) {}

    /** Reads and checks a whole configuration; faults name file, key and value. */
    public ModelConfig read(ConfigJson root) {
        var config = nestedIn.isEmpty()
                ? root
                : root.object(nestedIn).orElseThrow(() -> root.refuse(nestedIn, "is missing"));
        refuseUnsupported(root, config);
        int layerCount = size(config, keys.layers(), LAYERS_MAX);
        int hidden = size(config, keys.hidden(), WIDTH_MAX);
        int vocabulary = size(config, "vocab_size", VOCABULARY_MAX);
        int positions = size(config, keys.positions(), POSITIONS_MAX);
        var finalNorm = readNorm(config);
        var mlp = readMlp(config);
        boolean isParallel = parallel.in(config);
        float residualScale = (float) multipliers.residual().applyAsDouble(config);
        var layers = new ArrayList<Layer>(layerCount);
        for (int layer = 0; layer < layerCount; layer++) {
            var mixer = readAttention(config, layer, hidden, positions);
            layers.add(new Layer(mixer, mlp, finalNorm, norm.placement(), isParallel, residualScale));
        }
        var idHolder = config.has("eos_token_id") ? config : root;
        var bos = (config.has("bos_token_id") ? config : root).integers("bos_token_id", 0, vocabulary - 1, 1);
        return new ModelConfig(
                architectures.getFirst(),
                vocabulary,
                hidden,
                positions,
                (float) multipliers.embedding().applyAsDouble(config),
                learnedPositions ? positions : 0,
                layers,
                finalNorm,
                (config.has("tie_word_embeddings") ? config : root).flag("tie_word_embeddings", tiedDefault),
                (float) multipliers.logits().applyAsDouble(config),
                (float) multipliers.logitSoftcap().applyAsDouble(config),
                idHolder.integers("eos_token_id", 0, vocabulary - 1, EOS_TOKENS_MAX),
                bos.isEmpty() ? null : bos.getFirst());
    }

    private static void refuseUnsupported(ConfigJson root, ConfigJson config) {
        if (root.has("quantization_config")) {
            throw root.refuse("quantization_config", "quantised weights are not supported; f32, f16 and bf16 are");
        }
        for (var key : List.of("use_bidirectional_attention", "add_cross_attention")) {
            if (config.flag(key, false)) {
                throw config.refuse(key, "is not supported: a decoder attends to its own past only");
            }
        }
    }

    private int size(ConfigJson config, String key, int max) {
        var whenAbsent = sizeDefaults.get(key);
        return whenAbsent == null ? config.integer(key, 1, max) : config.integer(key, 1, max, whenAbsent);
    }

    private Norm readNorm(ConfigJson config) {
        double epsilon = config.positive(norm.epsilonKey(), norm.epsilonDefault());
        return new Norm(norm.kind(), (float) epsilon, norm.weightOffset(), norm.kind() == Norm.Kind.LAYER);
    }

    private Mlp readMlp(ConfigJson config) {
        var key = feedForward.activationKey();
        var activation = activation(config, key, config.text(key).orElse(feedForward.activationDefault()));
        int inner = config.has(keys.inner()) || feedForward.innerTimesHidden() == 0
                ? size(config, keys.inner(), WIDTH_MAX)
                : feedForward.innerTimesHidden() * size(config, keys.hidden(), WIDTH_MAX);
        return new Mlp(
                inner, activation, feedForward.gated(), biases.feedForward().in(config));
    }

    private static ActivationFunction activation(ConfigJson config, String key, String name) {
        return switch (name) {
            case "silu", "swish" -> ActivationFunction.SILU;
            case "gelu" -> ActivationFunction.GELU;
            case "gelu_new", "gelu_fast", "gelu_pytorch_tanh" -> ActivationFunction.GELU_TANH;
            case "relu" -> ActivationFunction.RELU;
            default ->
                throw config.refuse(
                        key, "must be one of silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu");
        };
    }

    private Attention readAttention(ConfigJson config, int layer, int hidden, int positions) {
        int heads = size(config, keys.heads(), HEADS_MAX);
        int kvHeads = config.integer(keys.kvHeads(), 1, HEADS_MAX, sizeDefaults.getOrDefault(keys.kvHeads(), heads));
        if (heads % kvHeads != 0) {
            throw config.refuse(keys.kvHeads(), "must divide %s = %d".formatted(keys.heads(), heads));
        }
        int headSize = headSize(config, hidden, heads);
        var rotary = attention.rotary().of(config, layer);
        return new Attention(
                heads,
                kvHeads,
                headSize,
                (float) attention.scale().of(config, layer, headSize),
                attention.window().of(config, layer),
                (float) attention.softcap().applyAsDouble(config),
                rotary == null ? null : rotary.read(config, headSize, positions),
                attention.queryKeyNorm(),
                biases.attention().in(config),
                biases.output().in(config));
    }

    private int headSize(ConfigJson config, int hidden, int heads) {
        if (config.has("head_dim") || sizeDefaults.containsKey("head_dim")) {
            return size(config, "head_dim", WIDTH_MAX);
        }
        if (hidden % heads != 0) {
            throw config.refuse(
                    keys.heads(), "must divide %s = %d, or head_dim must be given".formatted(keys.hidden(), hidden));
        }
        return hidden / heads;
    }
}
