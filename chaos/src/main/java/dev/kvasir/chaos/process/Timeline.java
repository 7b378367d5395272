package dev.kvasir.chaos.process;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What happened when. All times are of this process's monotonic clock. Thread-safe. */
public final class Timeline {
    /** What a member cannot do, or does, for a while. */
    enum State {
        /** Its process is dead, or not ready yet. */
        DOWN,
        /** Its process does not run. */
        STOPPED,
        /** It hears some others no longer, or they it. */
        CUT_OFF,
        /** It was asked to go. */
        LEAVING
    }

    /** A member's state for a while; {@code endNanos} grows while it lasts. */
    static final class Span {
        private final String member;
        private final State state;
        private final long beganNanos;
        private volatile long endNanos = Long.MAX_VALUE;

        private Span(String member, State state, long beganNanos) {
            this.member = member;
            this.state = state;
            this.beganNanos = beganNanos;
        }

        String member() {
            return member;
        }

        State state() {
            return state;
        }

        long beganNanos() {
            return beganNanos;
        }

        long endNanos() {
            return endNanos;
        }

        void end() {
            endNanos = System.nanoTime();
        }

        private boolean overlaps(long from, long to) {
            return beganNanos - to <= 0 && (endNanos == Long.MAX_VALUE || endNanos - from >= 0);
        }
    }

    /**
     * A fault.
     *
     * @param what in words
     * @param kind for sums
     * @param atNanos when it struck
     * @param wholeNanos when all members were there again and knew each other
     * @param boundMillis within which new requests must be answered meanwhile; 0 for no promise
     * @param outcome what came of it, where there is something to tell
     */
    record Event(String what, String kind, long atNanos, long wholeNanos, long boundMillis, String outcome) {}

    private volatile long beganNanos = System.nanoTime();
    private final List<Span> spans = new ArrayList<>();
    private final List<Event> events = new ArrayList<>();
    private final List<String> violations = new ArrayList<>();
    private final Set<String> skipped = new LinkedHashSet<>();

    long beganNanos() {
        return beganNanos;
    }

    /** Now is the beginning. */
    void restart() {
        beganNanos = System.nanoTime();
    }

    synchronized Span begin(String member, State state) {
        var span = new Span(member, state, System.nanoTime());
        spans.add(span);
        return span;
    }

    synchronized void add(Event event) {
        events.add(event);
    }

    synchronized void violation(String what) {
        violations.add(what);
    }

    /** A kind of fault that cannot be made here, and why. */
    synchronized void skipped(String what) {
        skipped.add(what);
    }

    synchronized List<String> skipped() {
        return List.copyOf(skipped);
    }

    /** Whether a member had such a state at any time in between. */
    synchronized boolean was(String member, List<State> states, long from, long to) {
        return spans.stream()
                .anyMatch(span -> span.member.equals(member) && states.contains(span.state) && span.overlaps(from, to));
    }

    synchronized List<Span> spans() {
        return List.copyOf(spans);
    }

    synchronized List<Event> events() {
        return List.copyOf(events);
    }

    synchronized List<String> violations() {
        return List.copyOf(violations);
    }
}
