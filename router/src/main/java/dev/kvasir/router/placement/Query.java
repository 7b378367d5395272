package dev.kvasir.router.placement;

/**
 * What there is to place.
 *
 * @param promptTokens to be computed before the first new token
 * @param outputTokens at most, over all outputs
 * @param sequenceTokensMax of prompt and longest output together
 */
public record Query(String model, int promptTokens, long outputTokens, int sequenceTokensMax) {
    /** Load that the request adds to a worker. */
    public long tokens() {
        return promptTokens + outputTokens;
    }
}
