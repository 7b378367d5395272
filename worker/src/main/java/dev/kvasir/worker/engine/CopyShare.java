package dev.kvasir.worker.engine;

import java.util.function.LongSupplier;

/**
 * How much of the engine's time may go into copies that nobody needs yet: a fixed share of all time, with some of it
 * saved up while the engine has little to do. A chain that was begun is finished, on credit. Of the engine's thread.
 */
public final class CopyShare {
    /** Half a percent, so that prompts which share nothing do not notice. */
    private static final double SHARE = 0.005;

    private static final long SAVED_NANOS_MAX = 20_000_000;

    private final double share;
    private final long savedNanosMax;
    private final LongSupplier clock;
    private double left;
    private long lastNanos;

    /** The usual share; {@code clock} tells nanoseconds, monotonic. */
    public CopyShare(LongSupplier clock) {
        this(SHARE, SAVED_NANOS_MAX, clock);
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

    private void earn() {
        long now = clock.getAsLong();
        left = Math.min((double) savedNanosMax, left + share * (now - lastNanos));
        lastNanos = now;
    }
}
