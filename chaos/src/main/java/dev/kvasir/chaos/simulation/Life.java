package dev.kvasir.chaos.simulation;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * One life of a member: a process from its start to its end. While it is paused, as by SIGSTOP, messages and timers pile up
 * and are handled late; once it is dead nothing reaches it. Its clocks are its own: the monotonic one begins anywhere, the
 * other jumps.
 */
final class Life {
    /** What runs in a process. */
    interface Program {
        void start();

        void receive(Life from, Object message);

        /** The world ends: what lies outside Java's memory is given back. */
        default void end() {}

        /** A member that can be spoken to has joined. */
        default void joined(Life other) {}

        /** The failure detector cannot reach a member, or can again. */
        default void reachable(Life other, boolean now) {}

        /** A member takes nothing new, and ends soon. */
        default void deregistered(Life other) {}

        /** A member has left, or was declared dead. */
        default void left(Life other) {}

        /**
         * Whoever was watched at an address has ended, it is said. Pekko says so of addresses, and late: a later life there may
         * be watched by then, and is meant as well.
         */
        default void terminated(String address) {}
    }

    private enum State {
        RUNNING,
        PAUSED,
        DEAD
    }

    private final Timeline timeline;
    private final String name;
    private final long incarnation;
    private final long clockOrigin;
    private final Deque<Runnable> late = new ArrayDeque<>();
    private State state = State.RUNNING;
    private long changedNanos;
    private @Nullable Program program;
    private long wallOffsetMillis;
    private double slowness = 1;

    /** @param clockOrigin of the monotonic clock */
    Life(Timeline timeline, String name, long incarnation, long clockOrigin) {
        this.timeline = timeline;
        this.name = name;
        this.incarnation = incarnation;
        this.clockOrigin = clockOrigin;
    }

    String name() {
        return name;
    }

    long incarnation() {
        return incarnation;
    }

    void begin(Program code) {
        program = code;
        timeline.act(this, code::start);
    }

    Program program() {
        if (program == null) {
            throw new IllegalStateException(this + " has not begun");
        }
        return program;
    }

    boolean isDead() {
        return state == State.DEAD;
    }

    /** Time since it began to be what it is: running, stopped or dead. */
    long unchangedNanos() {
        return timeline.now() - changedNanos;
    }

    boolean isRunning() {
        return state == State.RUNNING;
    }

    /** Monotonic. */
    long nanos() {
        return clockOrigin + timeline.now();
    }

    /** What this process thinks the time is. */
    long wallMillis() {
        return 1_800_000_000_000L + timeline.now() / Timeline.MILLI + wallOffsetMillis;
    }

    void jumpWallClock(long millis) {
        wallOffsetMillis += millis;
    }

    /** Time that work takes here which takes {@code nanos} elsewhere. */
    long duration(long nanos) {
        return (long) (nanos * slowness);
    }

    void slowDown(double factor) {
        slowness = factor;
    }

    void after(long nanos, Runnable action) {
        timeline.at(timeline.now() + nanos, () -> handle(action));
    }

    /** From now on, again and again, each time so long after the last one was handled. */
    void every(long nanos, Runnable action) {
        after(nanos, () -> {
            action.run();
            every(nanos, action);
        });
    }

    void handle(Runnable action) {
        switch (state) {
            case RUNNING -> timeline.act(this, action);
            case PAUSED -> late.add(action);
            case DEAD -> {}
        }
    }

    void pause() {
        if (state == State.RUNNING) {
            state = State.PAUSED;
            changedNanos = timeline.now();
        }
    }

    void resume() {
        if (state != State.PAUSED) {
            return;
        }
        state = State.RUNNING;
        changedNanos = timeline.now();
        while (state == State.RUNNING && !late.isEmpty()) {
            timeline.act(this, late.remove());
        }
    }

    void die() {
        state = State.DEAD;
        changedNanos = timeline.now();
        late.clear();
    }

    @Override
    public String toString() {
        return name + "#" + incarnation;
    }
}
