package dev.kvasir.model;

import dev.kvasir.model.config.ConfigJson;
import dev.kvasir.model.config.ModelConfig;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a model's authors advise for requests that leave it open ({@code generation_config.json}). Null where they advise
 * nothing.
 *
 * @param eosTokenIds tokens that end a sequence; those of config.json where this file has none
 */
public record GenerationDefaults(
        @Nullable Double temperature,
        @Nullable Double topP,
        @Nullable Integer topK,
        @Nullable Double minP,
        @Nullable Double repetitionPenalty,
        @Nullable Integer newTokensMax,
        List<Integer> eosTokenIds) {
    private static final int EOS_TOKENS_MAX = 64;

    public GenerationDefaults {
        eosTokenIds = List.copyOf(eosTokenIds);
    }

    /** A model without advice. */
    public static GenerationDefaults none(List<Integer> eosTokenIds) {
        return new GenerationDefaults(null, null, null, null, null, null, eosTokenIds);
    }

    static GenerationDefaults read(ConfigJson json, ModelConfig config) {
        var eos = json.integers("eos_token_id", 0, config.vocabSize() - 1, EOS_TOKENS_MAX);
        return new GenerationDefaults(
                between(json, "temperature", 0, 100),
                between(json, "top_p", 0, 1),
                integer(json, "top_k", 0),
                between(json, "min_p", 0, 1),
                between(json, "repetition_penalty", 0, 100),
                integer(json, "max_new_tokens", 1),
                eos.isEmpty() ? config.eosTokenIds() : eos);
    }

    private static @Nullable Integer integer(ConfigJson json, String key, int min) {
        return json.has(key) ? json.integer(key, min, Integer.MAX_VALUE) : null;
    }

    private static @Nullable Double between(ConfigJson json, String key, double min, double max) {
        if (!json.has(key)) {
            return null;
        }
        double value = json.number(key);
        if (value < min || value > max) {
            throw json.refuse(key, "must be between %s and %s".formatted(min, max));
        }
        return value;
    }
}
