package dev.kvasir.protocol;

import java.util.List;

/**
 * Where a request stands when a worker gets it: at its beginning, or after the tokens that another attempt generated.
 *
 * @param attempt see {@link Attempt}; events of older attempts are worth nothing
 * @param cachedTokens prompt tokens that the first attempt found in a cache
 * @param promptScored the prompt's log-probabilities have been received and are not wanted again
 * @param outputs all outputs in order; none where the request begins
 */
public record Continuation(long attempt, int cachedTokens, boolean promptScored, List<Known> outputs) {
    /**
     * What is known of an output.
     *
     * @param tokens generated so far; not to be modified by anyone
     * @param ended nothing more is wanted of it
     */
    @SuppressWarnings("ArrayRecordComponent") // Shared, never compared.
    public record Known(int[] tokens, boolean ended) {}

    public Continuation {
        outputs = List.copyOf(outputs);
        Limits.require(attempt >= 0, "attempt", attempt, "not negative");
        Limits.require(
                outputs.size() <= SamplingParameters.N_MAX, "outputs", outputs.size() + " entries", "at most 16");
    }

    /** A request that begins. */
    public static Continuation fresh(long attempt) {
        return new Continuation(attempt, 0, false, List.of());
    }

    /** Whether nothing has been generated yet, so that the request is as good as new. */
    public boolean begins() {
        return outputs.stream().allMatch(output -> output.tokens().length == 0 && !output.ended());
    }
}
