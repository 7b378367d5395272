package dev.kvasir.chaos.simulation;

import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Virtual time. Events happen in the order of their times, and at one time in the order in which they were planned, so that
 * a run is a function of its seed.
 */
final class Timeline {
    static final long MILLI = 1_000_000;
    static final long SECOND = 1000 * MILLI;

    private record Event(long nanos, long order, Runnable action) implements Comparable<Event> {
        @Override
        public int compareTo(Event other) {
            int byTime = Long.compare(nanos, other.nanos);
            return byTime != 0 ? byTime : Long.compare(order, other.order);
        }
    }

    private final PriorityQueue<Event> events = new PriorityQueue<>();
    private long planned;
    private long happened;
    private long now;
    private @Nullable Life acting;

    /** Nanoseconds since the world began. */
    long now() {
        return now;
    }

    /** Whose code runs. */
    Life acting() {
        if (acting == null) {
            throw new IllegalStateException("nobody acts");
        }
        return acting;
    }

    void act(Life who, Runnable action) {
        var before = acting;
        acting = who;
        try {
            action.run();
        } finally {
            acting = before;
        }
    }

    long happened() {
        return happened;
    }

    void at(long nanos, Runnable action) {
        events.add(new Event(Math.max(nanos, now), planned++, action));
    }

    /** Lets the next event happen, unless it is later than {@code until} or there is none. */
    boolean step(long until) {
        var next = events.peek();
        if (next == null || next.nanos > until) {
            return false;
        }
        events.remove();
        now = next.nanos;
        happened++;
        next.action.run();
        return true;
    }
}
