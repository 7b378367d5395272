package dev.kvasir.deploy;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.stream.Collectors;

/** How often a member whose worker broke may start anew, which a process can tell its successor. Time comes from outside. */
final class Restarts {
    private static final long HOUR_NANOS = Duration.ofHours(1).toNanos();

    private final int perHour;
    private final Deque<Long> lately = new ArrayDeque<>();

    /**
     * @param before what {@link #toString} said in the process before this one; empty: there was none
     * @throws NumberFormatException if it is something else
     */
    Restarts(int perHour, String before) {
        this.perHour = perHour;
        if (!before.isEmpty()) {
            for (var nanos : before.split(",", -1)) {
                lately.addLast(Long.parseLong(nanos));
            }
        }
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

    /** The times of those that count, as the constructor reads them; Linux counts nanoseconds from its own start. */
    @Override
    public String toString() {
        return lately.stream().map(String::valueOf).collect(Collectors.joining(","));
    }
}
