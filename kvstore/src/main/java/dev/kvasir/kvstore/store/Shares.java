package dev.kvasir.kvstore.store;

import java.util.List;

/**
 * How pools share what there is: equally, but for those that nobody has asked for in a while, which have an eighth of what
 * others have. The one pool of a cluster with one model has all of it. Pure.
 */
final class Shares {
    /** A pool that nobody asked for in this time is idle. */
    static final long IDLE_NANOS = 600_000_000_000L;

    private static final int BUSY_WEIGHT = 8;
    private static final int IDLE_WEIGHT = 1;

    private Shares() {}

    /** What each may have of {@code all}, together no more than that, from how long each has been idle. */
    static long[] of(long all, List<Long> idleNanos) {
        long weights = idleNanos.stream().mapToLong(Shares::weight).sum();
        // Of which each has its whole number.
        return idleNanos.stream()
                .mapToLong(idle -> all / weights * weight(idle) + all % weights * weight(idle) / weights)
                .toArray();
    }

    private static long weight(long idleNanos) {
        return idleNanos >= IDLE_NANOS ? IDLE_WEIGHT : BUSY_WEIGHT;
    }
}
