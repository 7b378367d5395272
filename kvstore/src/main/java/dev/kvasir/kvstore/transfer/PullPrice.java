package dev.kvasir.kvstore.transfer;

/**
 * What it costs a worker to pull KV of a prompt instead of computing it, in tokens that it could compute meanwhile. Measured
 * by the worker, which decides by it whether to pull, and told to routers, which decide by it where a request goes.
 *
 * @param setupTokens until a pull's first block is there
 * @param perToken for each token; more than 1 where the network is slower than the device
 */
public record PullPrice(double setupTokens, double perToken) {
    /** Of a worker that never pulls. */
    public static final PullPrice NONE = new PullPrice(0, Double.POSITIVE_INFINITY);

    /**
     * Of a worker that would pull, but has computed nothing yet that a pull could be compared with: cheap enough that it is
     * given what others are asked for too often, dear enough that who has the blocks comes first.
     */
    public static final PullPrice UNTRIED = new PullPrice(0, 0.5);

    /** Pulls must be clearly better: they also cost others something. */
    private static final double MARGIN = 0.8;

    public PullPrice {
        if (!(setupTokens >= 0 && perToken >= 0)) {
            throw new IllegalArgumentException(
                    "a pull costs %s tokens and %s for each but must cost at least 0".formatted(setupTokens, perToken));
        }
    }

    /** Whether the worker pulls at all. */
    public boolean exists() {
        return Double.isFinite(perToken) && Double.isFinite(setupTokens);
    }

    /** Of so many tokens. */
    public double of(long tokens) {
        return setupTokens + perToken * tokens;
    }

    /**
     * Whether the worker pulls so many tokens.
     *
     * @param tokensAhead to be computed there before, while the pull would be under way
     */
    public boolean isWorth(long tokens, long tokensAhead) {
        return tokens > 0 && of(tokens) < MARGIN * (tokens + tokensAhead);
    }
}
