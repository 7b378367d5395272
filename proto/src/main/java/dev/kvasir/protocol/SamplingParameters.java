package dev.kvasir.protocol;

import java.util.Map;
import java.util.Set;

/**
 * How a worker chooses tokens; checked, with every default resolved. Stop strings are not here: text is the router's
 * business.
 *
 * @param maxTokens most tokens per output, at least 1
 * @param minTokens no end token before so many tokens
 * @param temperature 0 is greedy
 * @param topP in (0, 1]
 * @param topK 0 is all
 * @param minP in [0, 1]
 * @param repetitionPenalty in (0, 10], 1 is none
 * @param presencePenalty in [-2, 2]
 * @param frequencyPenalty in [-2, 2]
 * @param logitBias by token id, values in [-100, 100]
 * @param stopTokenIds tokens that end an output, besides the model's end tokens
 * @param ignoreEos go on after the model's end tokens
 * @param seed key of the counter-based random numbers; output i uses (seed, i)
 * @param n number of outputs
 * @param logprobs alternatives reported per token, {@link #NO_LOGPROBS} for none at all
 * @param promptLogprobs likewise for prompt tokens
 */
public record SamplingParameters(
        int maxTokens,
        int minTokens,
        float temperature,
        float topP,
        int topK,
        float minP,
        float repetitionPenalty,
        float presencePenalty,
        float frequencyPenalty,
        Map<Integer, Float> logitBias,
        Set<Integer> stopTokenIds,
        boolean ignoreEos,
        long seed,
        int n,
        int logprobs,
        int promptLogprobs) {

    public static final int NO_LOGPROBS = -1;
    public static final int N_MAX = 16;
    public static final int LOGPROBS_MAX = 20;
    public static final int LOGIT_BIAS_MAX = 1024;
    public static final int STOP_TOKEN_IDS_MAX = 128;
    public static final float TEMPERATURE_MAX = 100;

    public SamplingParameters {
        logitBias = Map.copyOf(logitBias);
        stopTokenIds = Set.copyOf(stopTokenIds);
        Limits.require(maxTokens >= 1, "max_tokens", maxTokens, "at least 1");
        Limits.require(
                minTokens >= 0 && minTokens <= maxTokens, "min_tokens", minTokens, "0..max_tokens (" + maxTokens + ")");
        Limits.require(temperature >= 0 && temperature <= TEMPERATURE_MAX, "temperature", temperature, "0..100");
        Limits.require(topP > 0 && topP <= 1, "top_p", topP, "in (0, 1]");
        Limits.require(topK >= 0, "top_k", topK, "-1 or at least 0");
        Limits.require(minP >= 0 && minP <= 1, "min_p", minP, "in [0, 1]");
        Limits.require(
                repetitionPenalty > 0 && repetitionPenalty <= 10,
                "repetition_penalty",
                repetitionPenalty,
                "in (0, 10]");
        Limits.require(
                presencePenalty >= -2 && presencePenalty <= 2, "presence_penalty", presencePenalty, "in [-2, 2]");
        Limits.require(
                frequencyPenalty >= -2 && frequencyPenalty <= 2, "frequency_penalty", frequencyPenalty, "in [-2, 2]");
        Limits.require(logitBias.size() <= LOGIT_BIAS_MAX, "logit_bias", logitBias.size() + " entries", "at most 1024");
        logitBias.forEach((token, bias) ->
                Limits.require(bias >= -100 && bias <= 100, "logit_bias[" + token + "]", bias, "in [-100, 100]"));
        Limits.require(
                stopTokenIds.size() <= STOP_TOKEN_IDS_MAX,
                "stop_token_ids",
                stopTokenIds.size() + " entries",
                "at most 128");
        Limits.require(n >= 1 && n <= N_MAX, "n", n, "1..16");
        Limits.require(logprobs >= NO_LOGPROBS && logprobs <= LOGPROBS_MAX, "logprobs", logprobs, "0..20");
        Limits.require(
                promptLogprobs >= NO_LOGPROBS && promptLogprobs <= LOGPROBS_MAX,
                "prompt_logprobs",
                promptLogprobs,
                "0..20");
    }

    /** Greedy, one output, nothing reported. */
    public static SamplingParameters greedy(int maxTokens) {
        return new SamplingParameters(
                maxTokens, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), false, 0, 1, NO_LOGPROBS, NO_LOGPROBS);
    }

    public boolean isGreedy() {
        return temperature == 0;
    }
}
