package dev.kvasir.protocol;

/**
 * A token with its log-probability under the model's unmodified distribution.
 *
 * @param logprob natural logarithm; NaN where log-probabilities were not asked for
 * @param rank from 1; 0 where log-probabilities were not asked for
 * @param topIds the likeliest tokens, best first
 * @param topLogprobs theirs
 */
@SuppressWarnings("ArrayRecordComponent") // At most 20 entries, written once, never compared.
public record ScoredToken(int token, float logprob, int rank, int[] topIds, float[] topLogprobs) {
    private static final int[] NO_IDS = {};
    private static final float[] NO_LOGPROBS = {};

    /** A token alone. */
    public static ScoredToken unscored(int token) {
        return new ScoredToken(token, Float.NaN, 0, NO_IDS, NO_LOGPROBS);
    }
}
