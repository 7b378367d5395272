package dev.kvasir.model.config;

import java.util.List;
import java.util.Optional;

/**
 * How a family's configuration states its rotary embedding. Newer files keep all in {@code rope_parameters}, possibly one
 * object per layer type; older ones spread it over the top level and {@code rope_scaling}. Both are read.
 *
 * @param thetaKey top-level key of the base in older files
 * @param thetaDefault where no file gives one
 * @param fractionKey top-level key of the rotated part of a head in older files
 * @param layerType key of this layer type's object, where a file has one per layer type
 * @param scaled whether a scaling at the top level applies (not to Gemma 3's local layers)
 * @param yarnIsLongRope early Phi-3 files call LongRoPE so
 */
record RotaryKeys(
        String thetaKey,
        double thetaDefault,
        String fractionKey,
        double fractionDefault,
        String layerType,
        boolean scaled,
        boolean yarnIsLongRope) {
    private static final String ORIGINAL_LENGTH = "original_max_position_embeddings";
    private static final int ORIGINAL_LENGTH_MAX = 1 << 27;

    static final RotaryKeys DEFAULT =
            new RotaryKeys("rope_theta", 10_000, "partial_rotary_factor", 1, "full_attention", true, false);

    RotaryKeys thetaDefault(double theta) {
        return new RotaryKeys(thetaKey, theta, fractionKey, fractionDefault, layerType, scaled, yarnIsLongRope);
    }

    Rotary read(ConfigJson config, int headSize, int maxPositions) {
        var parameters = parameters(config);
        var theta = parameters.has("rope_theta")
                ? parameters.positive("rope_theta")
                : config.positive(thetaKey, thetaDefault);
        var fractions = parameters.has("partial_rotary_factor") ? parameters : config;
        var fractionName = parameters.has("partial_rotary_factor") ? "partial_rotary_factor" : fractionKey;
        double fraction = fractions.positive(fractionName, fractionDefault);
        int size = (int) (headSize * fraction);
        if (fraction > 1 || size < 1 || (size + 1) / 2 * 2 > headSize) {
            throw fractions.refuse(
                    fractionName, "must rotate whole pairs within a head of %d elements".formatted(headSize));
        }
        return new Rotary(size, theta, scaling(config, parameters, size, maxPositions), false);
    }

    private ConfigJson parameters(ConfigJson config) {
        var parameters = config.object("rope_parameters");
        if (parameters.isPresent()) {
            var ofType = parameters.get().object(layerType);
            boolean perType = ofType.isPresent() || parameters.get().has("sliding_attention");
            return perType ? ofType.orElseGet(() -> ConfigJson.empty(config.file())) : parameters.get();
        }
        Optional<ConfigJson> older = scaled ? config.object("rope_scaling") : Optional.empty();
        return older.orElseGet(() -> ConfigJson.empty(config.file()));
    }

    private RotaryScaling scaling(ConfigJson config, ConfigJson parameters, int size, int maxPositions) {
        var key = parameters.has("rope_type") ? "rope_type" : "type";
        var type = parameters.text(key).orElse("default");
        if (type.equals("su") || (type.equals("yarn") && yarnIsLongRope)) {
            type = "longrope";
        }
        return switch (type) {
            case "default" -> new RotaryScaling.None();
            case "linear" -> new RotaryScaling.Linear(parameters.positive("factor"));
            case "dynamic" -> dynamic(parameters, size, maxPositions);
            case "llama3" -> llama3(config, parameters, maxPositions);
            case "yarn" -> yarn(config, parameters, maxPositions);
            case "longrope" -> longRope(config, parameters, size, maxPositions);
            default -> throw parameters.refuse(key, "must be one of default, linear, dynamic, llama3, yarn, longrope");
        };
    }

    private static RotaryScaling dynamic(ConfigJson parameters, int size, int maxPositions) {
        double factor = parameters.positive("factor");
        if (size <= 2) {
            throw parameters.refuse("factor", "dynamic scaling needs more than one rotated pair");
        }
        if (factor < 1) {
            throw parameters.refuse("factor", "must be at least 1");
        }
        return new RotaryScaling.Dynamic(factor, maxPositions);
    }

    private static RotaryScaling llama3(ConfigJson config, ConfigJson parameters, int maxPositions) {
        double low = parameters.positive("low_freq_factor");
        double high = parameters.positive("high_freq_factor");
        if (high <= low) {
            throw parameters.refuse("high_freq_factor", "must be above low_freq_factor = " + low);
        }
        return new RotaryScaling.Llama3(
                parameters.positive("factor"), low, high, originalLength(config, parameters, maxPositions));
    }

    private static RotaryScaling yarn(ConfigJson config, ConfigJson parameters, int maxPositions) {
        int original = originalLength(config, parameters, maxPositions);
        double factor = parameters.positive("factor", (double) maxPositions / original);
        double scale = parameters.number("mscale", 0);
        double scaleAllDimensions = parameters.number("mscale_all_dim", 0);
        double attentionFactor = scale != 0 && scaleAllDimensions != 0
                ? yarnScale(factor, scale) / yarnScale(factor, scaleAllDimensions)
                : yarnScale(factor, 1);
        return new RotaryScaling.Yarn(
                factor,
                original,
                parameters.positive("attention_factor", attentionFactor),
                parameters.positive("beta_fast", 32),
                parameters.positive("beta_slow", 1),
                parameters.flag("truncate", true));
    }

    private static double yarnScale(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private static RotaryScaling longRope(ConfigJson config, ConfigJson parameters, int size, int maxPositions) {
        int original = originalLength(config, parameters, maxPositions);
        double factor = parameters.positive("factor", (double) maxPositions / original);
        double attentionFactor = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        int pairs = (size + 1) / 2;
        List<Double> shortFactors = parameters.positives("short_factor", pairs);
        List<Double> longFactors = parameters.positives("long_factor", pairs);
        return new RotaryScaling.LongRope(
                shortFactors, longFactors, original, parameters.positive("attention_factor", attentionFactor));
    }

    /** Phi-3 keeps it beside the other sizes, where it takes precedence. */
    private static int originalLength(ConfigJson config, ConfigJson parameters, int maxPositions) {
        var holder = config.has(ORIGINAL_LENGTH) ? config : parameters;
        return holder.integer(ORIGINAL_LENGTH, 2, ORIGINAL_LENGTH_MAX, maxPositions);
    }
}
