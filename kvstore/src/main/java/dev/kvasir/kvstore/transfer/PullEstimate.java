package dev.kvasir.kvstore.transfer;

/**
 * Whether pulling KV blocks beats computing them, from what pulls took so far. Pure; a pull's time is its set-up, until the
 * first block is there, and its bytes at the bandwidth seen, shared with other pulls. Not thread-safe.
 *
 * <p>One bad pull says little: the first one connects and runs code that has not run before, others wait for a collection of
 * garbage or a busy source. So the first few are trials, of which the best counts, and later ones count for a bounded part.
 */
public final class PullEstimate {
    /** Of what was seen, with each pull that is not tried: such a pull teaches nothing, and what was bad may be good now. */
    private static final double FADING = 1 / 256.0;

    private static final double FIRST_SETUP_SECONDS = 0.003;
    private static final double FIRST_SECONDS_PER_BYTE = 1 / 500e6;

    /** Faster than any network: what is believed of one that is not tried ends here. */
    private static final double SECONDS_PER_BYTE_MIN = 1e-12;

    /** So many times as long as computing would take may a pull take. */
    private static final double PATIENCE = 3;

    private static final long PATIENCE_MILLIS_MIN = 200;

    /** A trial may take as long as computing would, or this. */
    private static final long TRIAL_PATIENCE_MILLIS_MIN = 100;

    /** Of a trial where nothing has been computed yet that it could be compared with. */
    private static final long UNCOMPARED_TRIAL_MILLIS = 500;

    private final Learned setup = new Learned(FIRST_SETUP_SECONDS);
    private final Learned perByte = new Learned(FIRST_SECONDS_PER_BYTE);

    /** A time that is learned from what was seen; a guess until there were enough trials. */
    private static final class Learned {
        private static final int TRIALS = 4;
        private static final double WEIGHT = 1 / 4.0;
        /** Nothing that was seen once counts for more than so many times what was believed. */
        private static final double OUTLIER = 4;

        private double seconds;
        private double best = Double.POSITIVE_INFINITY;
        private int trials;

        Learned(double guess) {
            seconds = guess;
        }

        void observe(double seen) {
            if (isKnown()) {
                seconds += WEIGHT * (Math.min(seen, OUTLIER * seconds) - seconds);
                return;
            }
            best = Math.min(best, seen);
            if (++trials == TRIALS) {
                seconds = best;
            }
        }

        boolean isKnown() {
            return trials == TRIALS;
        }
    }

    /**
     * A pull has ended.
     *
     * @param bytes after the first block
     * @param setupNanos from its begin until the first block was there; of a pull that brought nothing, until its end
     * @param streamNanos from the first block to the last
     */
    public void observe(long bytes, long setupNanos, long streamNanos) {
        setup.observe(Math.max(1, setupNanos) * 1e-9);
        if (bytes > 0 && streamNanos > 0) {
            perByte.observe(Math.max(SECONDS_PER_BYTE_MIN, streamNanos * 1e-9 / bytes));
        }
    }

    /**
     * What pulls beside {@code others} cost, in tokens that are computed meanwhile. Who sends requests here by this price must
     * not expect less of pulls than {@link #isWorth} does: a worker that is never sent what it would have to pull never tries.
     *
     * @param tokensPerSecond as prompts are computed; 0 where that is not known
     */
    public PullPrice price(double bytesPerToken, int others, double tokensPerSecond) {
        if (tokensPerSecond == 0) {
            return PullPrice.UNTRIED;
        }
        double perToken = bytesPerToken * (1.0 + others) * perByte.seconds * tokensPerSecond;
        return new PullPrice(
                setup.seconds * tokensPerSecond,
                perByte.isKnown() ? perToken : Math.min(perToken, PullPrice.UNTRIED.perToken()));
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
        double bytesPerToken = perByte.isKnown() ? (double) bytes / tokens : 0;
        boolean worth = tokensPerSecond == 0
                || price(bytesPerToken, others, tokensPerSecond).isWorth(tokens, tokensAhead);
        if (!worth) {
            // Where the set-up alone is too much, the bandwidth is not what spoke against it.
            if (price(0, others, tokensPerSecond).isWorth(tokens, tokensAhead)) {
                perByte.seconds = Math.max(SECONDS_PER_BYTE_MIN, perByte.seconds * (1 - FADING));
            }
            setup.seconds -= FADING * Math.max(0, setup.seconds - FIRST_SETUP_SECONDS);
        }
        return worth;
    }

    /** Whether what the network can do was seen. */
    public boolean isTried() {
        return perByte.isKnown();
    }

    /**
     * How long a pull may take, in milliseconds. What has come by then counts, and the rest is computed; so a trial of a slow
     * network doubles the time to the first token, or adds a tenth of a second (half a second where nothing was computed yet), and no more.
     *
     * @param isTrial the network was not tried yet
     * @param tokens that would be computed instead, with those to be computed before
     * @param tokensPerSecond as prompts are computed; 0 where that is not known
     */
    public static long patienceMillis(boolean isTrial, long tokens, double tokensPerSecond) {
        if (tokensPerSecond == 0) {
            return isTrial ? UNCOMPARED_TRIAL_MILLIS : Long.MAX_VALUE;
        }
        double computingMillis = tokens * 1_000 / tokensPerSecond;
        return isTrial
                ? Math.max(TRIAL_PATIENCE_MILLIS_MIN, (long) computingMillis)
                : Math.max(PATIENCE_MILLIS_MIN, (long) (PATIENCE * computingMillis));
    }
}
