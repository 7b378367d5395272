package dev.kvasir.worker.engine;

import java.util.function.LongSupplier;

/**
 * How much of the engine's time may go into copies: a fixed share of all time, or of that between {@link #resume} and
 * {@link #pause}, with some of it saved up. A chain that was begun is finished, on credit. Of the engine's thread.
 */
public final class CopyShare {
    private final double share;
    private final long savedNanosMax;
    private final LongSupplier clock;
    private double left;
    private long lastNanos;
    private boolean paused;

    /**
     * For blocks that nobody has asked for yet: half a percent, so that prompts which share nothing do not notice. Of the time
     * of steps alone: such copies are made in steps, and what was saved up while there were none would be more than that of them.
     * Where steps are computed on the host far less: what is copied is then offered and sent by the same processors, which takes
     * several times as long as the copy, and the pool is host memory itself.
     *
     * @param onHost whether steps are computed by the host's processors
     * @param clock tells nanoseconds, monotonic
     */
    public static CopyShare ofUnproven(boolean onHost, LongSupplier clock) {
        return onHost ? new CopyShare(0.0002, 1_000_000, clock) : new CopyShare(0.005, 20_000_000, clock);
    }

    /**
     * For blocks that somebody came back to: two percent. That they were there has just saved a hundred times what a copy takes,
     * and traffic that shares nothing has none of them.
     *
     * @param clock tells nanoseconds, monotonic
     */
    public static CopyShare ofReused(LongSupplier clock) {
        return new CopyShare(0.02, 200_000_000, clock);
    }

    /**
     * Any share.
     *
     * @param share of all time, in (0, 1]
     * @param savedNanosMax most time that is saved up; also what there is at first
     */
    public CopyShare(double share, long savedNanosMax, LongSupplier clock) {
        if (!(share > 0 && share <= 1)) {
            throw new IllegalArgumentException("the share is %s but must be in (0, 1]".formatted(share));
        }
        this.share = share;
        this.savedNanosMax = savedNanosMax;
        this.clock = clock;
        this.left = savedNanosMax;
        this.lastNanos = clock.getAsLong();
    }

    /** Whether another chain may be begun. */
    boolean allows() {
        earn();
        return left > 0;
    }

    /** Does a copy at its expense. */
    void pay(Runnable copy) {
        long began = clock.getAsLong();
        copy.run();
        left -= clock.getAsLong() - began;
    }

    /** From now on nothing is earned. */
    void pause() {
        earn();
        paused = true;
    }

    /** From now on time counts again. */
    void resume() {
        lastNanos = clock.getAsLong();
        paused = false;
    }

    private void earn() {
        long now = clock.getAsLong();
        if (!paused) {
            left = Math.min((double) savedNanosMax, left + share * (now - lastNanos));
        }
        lastNanos = now;
    }
}
