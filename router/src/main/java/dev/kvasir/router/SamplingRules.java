package dev.kvasir.router;

import static dev.kvasir.protocol.Limits.require;
import static dev.kvasir.router.RequestRules.orElse;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.SamplingParameters;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Sampling fields of a request, checked in the width in which they came and resolved: the request's value, else the
 * model's default, else the API's.
 */
final class SamplingRules {
    private SamplingRules() {}

    /** All that can be said before the prompt is tokenized, so that a bad request costs little. */
    static void checkBeforePrompt(RequestDraft draft, ServedModel model) {
        resolve(draft, model, model.maxModelLength(), () -> 0);
    }

    /** @param maxTokens as {@link #maxTokens} found it */
    static SamplingParameters resolve(RequestDraft draft, ServedModel model, int maxTokens, RandomGenerator random) {
        if (draft.maxTokens != null) {
            require(draft.maxTokens >= 1, draft.maxTokensField, draft.maxTokens, "at least 1");
        }
        var defaults = model.defaults();
        return new SamplingParameters(
                maxTokens,
                minTokens(draft.minTokens, maxTokens, draft.maxTokensField),
                real("temperature", first(draft.temperature, defaults.temperature()), 1),
                real("top_p", first(draft.topP, defaults.topP()), 1),
                topK(first(draft.topK, whole(defaults.topK())), model),
                real("min_p", first(draft.minP, defaults.minP()), 0),
                real("repetition_penalty", first(draft.repetitionPenalty, defaults.repetitionPenalty()), 1),
                real("presence_penalty", draft.presencePenalty, 0),
                real("frequency_penalty", draft.frequencyPenalty, 0),
                logitBias(orElse(draft.logitBias, Map.<Long, Double>of()), model),
                stopTokens(orElse(draft.stopTokenIds, List.<Long>of()), model),
                orElse(draft.ignoreEos, false),
                draft.seed == null ? random.nextLong() : draft.seed,
                (int) inRange("n", draft.n, 1, 1, SamplingParameters.N_MAX),
                logprobs("logprobs", draft.logprobs),
                logprobs("prompt_logprobs", draft.promptLogprobs));
    }

    /** @throws RequestFailedException where prompt and output do not fit the context */
    static int maxTokens(RequestDraft draft, int promptLength, ServedModel model) {
        var asked = draft.maxTokens;
        var modelDefault = whole(model.defaults().newTokensMax());
        int room = model.maxModelLength() - promptLength;
        if (room < 1 || (asked != null && asked > room)) {
            throw new RequestFailedException(new Failure(
                    FailureKind.CONTEXT_LENGTH_EXCEEDED,
                    "prompt has %d tokens and %s is %s but the context length of %s is %d tokens"
                            .formatted(
                                    promptLength,
                                    draft.maxTokensField,
                                    asked == null ? "at least 1" : asked,
                                    Limits.shorten(model.name()),
                                    model.maxModelLength()),
                    room < 1 ? RequestRules.field(draft.prompt) : draft.maxTokensField,
                    0));
        }
        if (asked != null) {
            return asked.intValue();
        }
        var usual = first(modelDefault, draft.maxTokensUsual);
        return usual == null ? room : (int) Math.min(usual, room);
    }

    private static int minTokens(@Nullable Long asked, int maxTokens, String maxTokensField) {
        if (asked == null) {
            return 0;
        }
        require(
                asked >= 0 && asked <= maxTokens,
                "min_tokens",
                asked,
                "0..%s (%d)".formatted(maxTokensField, maxTokens));
        return asked.intValue();
    }

    /** Ranges are checked by the record. */
    private static float real(String field, @Nullable Double value, float otherwise) {
        if (value == null) {
            return otherwise;
        }
        float narrow = value.floatValue();
        require(Float.isFinite(narrow), field, value, "a finite 32-bit number");
        // A tiny positive number must not become the zero that means something else.
        return narrow == 0 && value > 0 ? Float.MIN_VALUE : narrow;
    }

    private static int topK(@Nullable Long value, ServedModel model) {
        if (value == null || value == -1) {
            return 0;
        }
        require(value >= 0, "top_k", value, "-1 or at least 0");
        return (int) Math.min(value, model.vocabularySize());
    }

    private static Map<Integer, Float> logitBias(Map<Long, Double> biases, ServedModel model) {
        require(
                biases.size() <= SamplingParameters.LOGIT_BIAS_MAX,
                "logit_bias",
                biases.size() + " entries",
                "at most 1024 entries");
        var checked = new HashMap<Integer, Float>();
        biases.forEach((token, bias) -> {
            require(
                    token >= 0 && token < model.vocabularySize(),
                    "logit_bias",
                    "for token " + token,
                    "for token ids in [0, %d)".formatted(model.vocabularySize()));
            require(bias >= -100 && bias <= 100, "logit_bias[" + token + "]", bias, "in [-100, 100]");
            checked.put(token.intValue(), bias.floatValue());
        });
        return checked;
    }

    private static Set<Integer> stopTokens(List<Long> tokens, ServedModel model) {
        require(
                tokens.size() <= SamplingParameters.STOP_TOKEN_IDS_MAX,
                "stop_token_ids",
                tokens.size() + " entries",
                "at most 128 entries");
        var checked = new HashSet<Integer>();
        for (int i = 0; i < tokens.size(); i++) {
            long token = tokens.get(i);
            require(
                    token >= 0 && token < model.vocabularySize(),
                    "stop_token_ids[" + i + "]",
                    token,
                    "a token id in [0, %d)".formatted(model.vocabularySize()));
            checked.add((int) token);
        }
        return checked;
    }

    private static int logprobs(String field, @Nullable Long asked) {
        return (int) inRange(field, asked, SamplingParameters.NO_LOGPROBS, 0, SamplingParameters.LOGPROBS_MAX);
    }

    /** The value, checked, or {@code otherwise} where there is none. */
    static long inRange(String field, @Nullable Long value, long otherwise, long min, long max) {
        if (value == null) {
            return otherwise;
        }
        require(value >= min && value <= max, field, value, min + ".." + max);
        return value;
    }

    private static <T> @Nullable T first(@Nullable T preferred, @Nullable T otherwise) {
        return preferred == null ? otherwise : preferred;
    }

    private static @Nullable Long whole(@Nullable Integer value) {
        return value == null ? null : value.longValue();
    }
}
