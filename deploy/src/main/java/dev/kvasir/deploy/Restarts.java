package dev.kvasir.deploy;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/** How often a member whose worker broke may start anew. Time comes from outside. */
final class Restarts {
    private static final long HOUR_NANOS = Duration.ofHours(1).toNanos();

    private final int perHour;
    private final Deque<Long> lately = new ArrayDeque<>();

    Restarts(int perHour) {
        this.perHour = perHour;
    }

    /** Whether it may now, which counts. */
    boolean mayStart(long nowNanos) {
        while (!lately.isEmpty() && nowNanos - lately.getFirst() >= HOUR_NANOS) {
            lately.removeFirst();
        }
        if (lately.size() >= perHour) {
            return false;
        }
        lately.addLast(nowNanos);
        return true;
    }
}
