package dev.kvasir.worker.schedule;

/**
 * How long requests will wait and run, from how long others did: the rate at which waiting requests started while there were
 * some, and the time that finished ones took for each token. Recent times weigh most. It only looks at what is told to it.
 */
public final class Forecast {
    /** Nothing is known yet. */
    public static final long UNKNOWN = -1;

    private static final double MEMORY_NANOS = 10e9;
    private static final double STARTS_MIN = 4;
    private static final double WEIGHT = 1 / 16.0;

    /** Few outputs are so many times as long as the mean. */
    private static final double SPREAD = 2;

    private double starts;
    private double backlogNanos;
    private double tokenNanos;
    private double outputTokens;
    private long lastNanos;
    private boolean waited;

    /**
     * A step began.
     *
     * @param started requests that started with it
     * @param waiting whether others still wait
     */
    public void stepped(int started, boolean waiting, long nowNanos) {
        if (waited) {
            long nanos = Math.max(0, nowNanos - lastNanos);
            double kept = Math.exp(-nanos / MEMORY_NANOS);
            starts = starts * kept + started;
            backlogNanos = backlogNanos * kept + nanos;
        }
        waited = waiting;
        lastNanos = nowNanos;
    }

    /** An output ran to its end, or to its deadline. */
    public void ran(long runNanos, int tokens) {
        double each = (double) runNanos / Math.max(1, tokens);
        boolean first = outputTokens == 0;
        tokenNanos = first ? each : tokenNanos + WEIGHT * (each - tokenNanos);
        outputTokens = first ? tokens : outputTokens + WEIGHT * (tokens - outputTokens);
    }

    /** Until a request starts that so many come before; {@link #UNKNOWN} before some have started out of a queue. */
    public long waitNanos(int ahead) {
        return starts < STARTS_MIN ? UNKNOWN : (long) (ahead * backlogNanos / starts);
    }

    /** What a request of at most so many tokens takes once it runs; 0 where nothing is known. */
    public long runNanos(int tokensMax) {
        return (long) (Math.min(tokensMax, SPREAD * outputTokens) * tokenNanos);
    }
}
