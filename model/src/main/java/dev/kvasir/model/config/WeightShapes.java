package dev.kvasir.model.config;

import java.util.List;

/** The weights that a configuration calls for, and their shapes. */
public final class WeightShapes {
    private WeightShapes() {}

    /** Shape of a weight outside layers; empty where the model has none. */
    public static List<Integer> of(ModelConfig config, WeightRole role) {
        int hidden = config.hiddenSize();
        return switch (role) {
            case EMBEDDING -> List.of(config.vocabSize(), hidden);
            case POSITIONS -> matrixIf(config.learnedPositions() > 0, config.learnedPositions(), hidden);
            case FINAL_NORM -> List.of(hidden);
            case FINAL_NORM_BIAS -> vectorIf(config.finalNorm().bias(), hidden);
            case OUTPUT -> matrixIf(!config.tied(), config.vocabSize(), hidden);
            default -> throw new IllegalArgumentException(role + " belongs to a layer");
        };
    }

    /** Shape of a weight of one layer; empty where the layer has none. */
    public static List<Integer> of(ModelConfig config, Layer layer, WeightRole role) {
        return switch (role) {
            case QUERY,
                    QUERY_BIAS,
                    KEY,
                    KEY_BIAS,
                    VALUE,
                    VALUE_BIAS,
                    QUERY_NORM,
                    KEY_NORM,
                    ATTENTION_OUTPUT,
                    ATTENTION_OUTPUT_BIAS ->
                switch (layer.mixer()) {
                    case Attention attention -> ofAttention(config.hiddenSize(), attention, role);
                };
            case GATE, GATE_BIAS, UP, UP_BIAS, DOWN, DOWN_BIAS ->
                switch (layer.feedForward()) {
                    case Mlp mlp -> ofMlp(config.hiddenSize(), mlp, role);
                };
            default -> ofNorm(config.hiddenSize(), layer, role);
        };
    }

    /** Elements of all weights. */
    public static long parameterCount(ModelConfig config) {
        long count = 0;
        for (var role : WeightRole.values()) {
            if (role.perLayer()) {
                for (var layer : config.layers()) {
                    count += elements(of(config, layer, role));
                }
            } else {
                count += elements(of(config, role));
            }
        }
        return count;
    }

    private static long elements(List<Integer> shape) {
        return shape.isEmpty()
                ? 0
                : shape.stream().mapToLong(Integer::longValue).reduce(1, (a, b) -> a * b);
    }

    private static List<Integer> ofAttention(int hidden, Attention attention, WeightRole role) {
        return switch (role) {
            case QUERY -> List.of(attention.querySize(), hidden);
            case KEY, VALUE -> List.of(attention.keySize(), hidden);
            case QUERY_BIAS -> vectorIf(attention.bias(), attention.querySize());
            case KEY_BIAS, VALUE_BIAS -> vectorIf(attention.bias(), attention.keySize());
            case QUERY_NORM -> headNorm(attention, attention.querySize());
            case KEY_NORM -> headNorm(attention, attention.keySize());
            case ATTENTION_OUTPUT -> List.of(hidden, attention.querySize());
            default -> vectorIf(attention.outputBias(), hidden);
        };
    }

    private static List<Integer> headNorm(Attention attention, int rowSize) {
        return switch (attention.queryKeyNorm()) {
            case NONE -> List.of();
            case PER_HEAD -> List.of(attention.headSize());
            case WHOLE_ROW -> List.of(rowSize);
        };
    }

    private static List<Integer> ofMlp(int hidden, Mlp mlp, WeightRole role) {
        return switch (role) {
            case GATE -> matrixIf(mlp.gated(), mlp.innerSize(), hidden);
            case UP -> List.of(mlp.innerSize(), hidden);
            case DOWN -> List.of(hidden, mlp.innerSize());
            case GATE_BIAS -> vectorIf(mlp.gated() && mlp.bias(), mlp.innerSize());
            case UP_BIAS -> vectorIf(mlp.bias(), mlp.innerSize());
            default -> vectorIf(mlp.bias(), hidden);
        };
    }

    private static List<Integer> ofNorm(int hidden, Layer layer, WeightRole role) {
        boolean bias = layer.norm().bias();
        return switch (role) {
            case ATTENTION_PRE_NORM, FEED_FORWARD_PRE_NORM ->
                vectorIf(layer.placement().before(), hidden);
            case ATTENTION_PRE_NORM_BIAS, FEED_FORWARD_PRE_NORM_BIAS ->
                vectorIf(layer.placement().before() && bias, hidden);
            case ATTENTION_POST_NORM, FEED_FORWARD_POST_NORM ->
                vectorIf(layer.placement().after(), hidden);
            default -> throw new IllegalArgumentException(role + " does not belong to a layer");
        };
    }

    private static List<Integer> vectorIf(boolean present, int length) {
        return present ? List.of(length) : List.of();
    }

    private static List<Integer> matrixIf(boolean present, int rows, int columns) {
        return present ? List.of(rows, columns) : List.of();
    }
}
