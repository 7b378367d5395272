package dev.kvasir.kvstore.transfer;

/**
 * Whether pulling KV blocks beats computing them, from what pulls took so far. Pure; a pull's time is its set-up, until the
 * first block is there, and its bytes at the bandwidth seen, shared with other pulls. Not thread-safe.
 */
public final class PullEstimate {
    private static final double WEIGHT = 1 / 4.0;

    /** Of what was seen, with each pull that is not tried: such a pull teaches nothing, and what was bad may be good now. */
    private static final double FADING = 1 / 256.0;

    private static final double FIRST_SETUP_SECONDS = 0.003;
    private static final double FIRST_BYTES_PER_SECOND = 500e6;

    /** Faster than any network: what is believed of one that is not tried ends here. */
    private static final double BYTES_PER_SECOND_MAX = 1e12;

    private double setupSeconds = FIRST_SETUP_SECONDS;
    private double bytesPerSecond = FIRST_BYTES_PER_SECOND;
    private boolean bandwidthSeen;

    /**
     * A pull has ended.
     *
     * @param bytes after the first block
     * @param setupNanos from its begin until the first block was there; of a pull that brought nothing, until its end
     * @param streamNanos from the first block to the last
     */
    public void observe(long bytes, long setupNanos, long streamNanos) {
        setupSeconds += WEIGHT * (setupNanos * 1e-9 - setupSeconds);
        if (bytes > 0 && streamNanos > 0) {
            bytesPerSecond += (bandwidthSeen ? WEIGHT : 1) * (bytes * 1e9 / streamNanos - bytesPerSecond);
            bandwidthSeen = true;
        }
    }

    /**
     * What pulls beside {@code others} cost, in tokens that are computed meanwhile.
     *
     * @param tokensPerSecond as prompts are computed; 0 where that is not known, and so no price
     */
    public PullPrice price(double bytesPerToken, int others, double tokensPerSecond) {
        return tokensPerSecond == 0
                ? PullPrice.NONE
                : new PullPrice(
                        setupSeconds * tokensPerSecond,
                        bytesPerToken * (1.0 + others) / bytesPerSecond * tokensPerSecond);
    }

    /**
     * Whether to pull. What the network can do is seen by trying: until then only the set-up counts. Where not, the estimate
     * becomes a little better, so that after some hundred of them one is tried.
     *
     * @param others pulls under way
     * @param tokens that would be computed instead
     * @param tokensPerSecond as prompts are computed; 0 where that is not known: then nothing has been computed yet, and
     *     everything that others have is welcome
     * @param tokensAhead to be computed before, while a pull would be under way
     */
    public boolean isWorth(long bytes, int others, long tokens, double tokensPerSecond, long tokensAhead) {
        double bytesPerToken = bandwidthSeen ? (double) bytes / tokens : 0;
        boolean worth = tokensPerSecond == 0
                || price(bytesPerToken, others, tokensPerSecond).isWorth(tokens, tokensAhead);
        if (!worth) {
            // Where the set-up alone is too much, the bandwidth is not what spoke against it.
            if (price(0, others, tokensPerSecond).isWorth(tokens, tokensAhead)) {
                bytesPerSecond = Math.min(BYTES_PER_SECOND_MAX, bytesPerSecond * (1 + FADING));
            }
            setupSeconds -= FADING * Math.max(0, setupSeconds - FIRST_SETUP_SECONDS);
        }
        return worth;
    }
}
