package dev.kvasir.worker.runner;

import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.SamplingParameters;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What the sampler must know of one output besides its logits: parameters, which output it is, and the tokens that
 * penalties count. Rebuilt from the prompt and the tokens so far, it is the same as one that saw them come.
 */
public final class SamplingState {
    private final SamplingParameters parameters;
    private final int outputIndex;
    private final int vocabularySize;
    private final int[] biasedIds;
    private final float[] biases;
    private final int[] endingIds;
    private final boolean penalised;
    private final TokenCounts counts = new TokenCounts();

    /**
     * @param prompt token ids; read here, not kept
     * @param endTokenIds the model's end tokens; those outside the vocabulary are ignored
     * @throws dev.kvasir.protocol.BadRequestException when a token id of prompt or parameters is outside the vocabulary
     */
    public SamplingState(
            SamplingParameters parameters, int outputIndex, int[] prompt, int vocabularySize, int[] endTokenIds) {
        this.parameters = parameters;
        this.outputIndex = outputIndex;
        this.vocabularySize = vocabularySize;
        biasedIds = parameters.logitBias().keySet().stream()
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
        biases = new float[biasedIds.length];
        for (int i = 0; i < biases.length; i++) {
            requireInVocabulary("logit_bias", biasedIds[i]);
            biases[i] = parameters.logitBias().getOrDefault(biasedIds[i], 0f);
        }
        parameters.stopTokenIds().forEach(id -> requireInVocabulary("stop_token_ids", id));
        endingIds = IntStream.concat(
                        Arrays.stream(endTokenIds).filter(id -> id >= 0 && id < vocabularySize),
                        parameters.stopTokenIds().stream().mapToInt(Integer::intValue))
                .sorted()
                .distinct()
                .toArray();
        boolean promptCounts = parameters.repetitionPenalty() != 1;
        penalised = promptCounts || parameters.presencePenalty() != 0 || parameters.frequencyPenalty() != 0;
        if (promptCounts) {
            for (int token : prompt) {
                requireInVocabulary("prompt", token);
                counts.add(token, 0);
            }
        }
    }

    /** Takes note of a token of the output; to be called once for each, in order. */
    public void accept(int token) {
        if (penalised) {
            counts.add(token, 1);
        }
    }

    public SamplingParameters parameters() {
        return parameters;
    }

    public int outputIndex() {
        return outputIndex;
    }

    /** Whether the token at {@code position} is just the one with the largest logit. */
    boolean isPlainlyGreedy(int position) {
        return parameters.isGreedy() && !penalised && biasedIds.length == 0 && position >= parameters.minTokens();
    }

    /** Whether tokens come with log-probabilities. */
    boolean isScored() {
        return parameters.logprobs() != SamplingParameters.NO_LOGPROBS;
    }

    /** Whether what is chosen depends on the tokens before it in more than the logits. */
    boolean isPenalised() {
        return penalised;
    }

    /** Tokens with a bias, ascending. */
    int[] biasedIds() {
        return biasedIds;
    }

    float[] biases() {
        return biases;
    }

    /** Tokens that may not come before {@code min_tokens}: end tokens and stop tokens, ascending. */
    int[] endingIds() {
        return endingIds;
    }

    /** Tokens that penalties apply to; empty without penalties. */
    TokenCounts counts() {
        return counts;
    }

    private void requireInVocabulary(String field, int token) {
        Limits.require(
                token >= 0 && token < vocabularySize,
                field,
                "token " + token,
                "in the vocabulary, [0, " + vocabularySize + ")");
    }
}
