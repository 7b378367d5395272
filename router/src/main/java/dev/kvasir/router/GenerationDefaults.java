package dev.kvasir.router;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A model's own defaults, from its {@code generation_config.json}; null where it has none.
 *
 * @param endTokens tokens that end an output unless the request says {@code ignore_eos}
 */
public record GenerationDefaults(
        @Nullable Double temperature,
        @Nullable Double topP,
        @Nullable Long topK,
        @Nullable Double minP,
        @Nullable Double repetitionPenalty,
        @Nullable Long maxNewTokens,
        Set<Integer> endTokens) {
    public GenerationDefaults {
        endTokens = Set.copyOf(endTokens);
    }

    public static GenerationDefaults none(Set<Integer> endTokens) {
        return new GenerationDefaults(null, null, null, null, null, null, endTokens);
    }
}
