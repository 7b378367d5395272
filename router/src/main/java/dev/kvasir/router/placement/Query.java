package dev.kvasir.router.placement;

import dev.kvasir.kvstore.hash.HashChain;

/**
 * What there is to place.
 *
 * @param promptTokens to be computed before the first new token
 * @param outputTokens at most, over all outputs
 * @param sequenceTokensMax of prompt and longest output together
 * @param prompt names of the prompt's full blocks; empty where nobody could know them
 */
public record Query(String model, int promptTokens, long outputTokens, int sequenceTokensMax, HashChain prompt) {
    /** Load that the request adds to a worker that knows nothing of it. */
    public long tokens() {
        return promptTokens + outputTokens;
    }

    /** How much of the prompt is left where {@code cached} tokens are known; its last token is always computed. */
    public int uncached(int cached) {
        return Math.max(1, promptTokens - cached);
    }
}
