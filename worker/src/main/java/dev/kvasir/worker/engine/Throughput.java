package dev.kvasir.worker.engine;

/** Tokens computed per time, smoothed over some tens of steps; tells how long a backlog will take. */
final class Throughput {
    private static final double WEIGHT = 1 / 16.0;
    private static final long RETRY_MIN_MILLIS = 100;
    private static final long RETRY_MAX_MILLIS = 30_000;
    private static final long RETRY_UNKNOWN_MILLIS = 1_000;

    private double tokensPerMilli;
    private long lastNanos;
    private boolean counting;

    /** A step of so many tokens began at {@code nowNanos}. */
    void stepped(int tokens, long nowNanos) {
        long nanos = nowNanos - lastNanos;
        if (counting && nanos > 0) {
            double rate = tokens * 1e6 / nanos;
            tokensPerMilli = tokensPerMilli == 0 ? rate : tokensPerMilli + WEIGHT * (rate - tokensPerMilli);
        }
        counting = true;
        lastNanos = nowNanos;
    }

    /** Time that so many tokens will take, within reason for a hint. */
    long millisFor(long tokens) {
        if (tokensPerMilli == 0) {
            return RETRY_UNKNOWN_MILLIS;
        }
        return Math.clamp((long) (tokens / tokensPerMilli), RETRY_MIN_MILLIS, RETRY_MAX_MILLIS);
    }
}
