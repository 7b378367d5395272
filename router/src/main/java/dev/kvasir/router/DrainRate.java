package dev.kvasir.router;

/**
 * How fast places become free where all are taken, for the hint when to come back: the rate at which requests ended lately.
 * Used by any number of threads; time comes from outside.
 */
final class DrainRate {
    private static final double MEMORY_NANOS = 10e9;
    private static final double ENDS_MIN = 4;
    private static final long MIN_MILLIS = 100;
    private static final long MAX_MILLIS = 30_000;

    private double ends;
    private double nanos;
    private long lastNanos;
    private boolean counting;

    /** A request ended. */
    synchronized void ended(long nowNanos) {
        forget(nowNanos);
        ends++;
    }

    private void forget(long nowNanos) {
        if (counting) {
            long passed = Math.max(0, nowNanos - lastNanos);
            double kept = Math.exp(-passed / MEMORY_NANOS);
            ends *= kept;
            nanos = nanos * kept + passed;
        }
        counting = true;
        lastNanos = nowNanos;
    }

    /** Until so many places have become free; {@code otherwise} where too few ended lately to tell. */
    synchronized long millisFor(int places, long nowNanos, long otherwise) {
        forget(nowNanos);
        return ends < ENDS_MIN ? otherwise : Math.clamp((long) (places * nanos / ends / 1e6), MIN_MILLIS, MAX_MILLIS);
    }
}
