package dev.kvasir.kvstore.tier;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Decides whether a disk is of use: off after an error, several slow operations in a row or one that does not end, tried again
 * after a while that doubles each time. Pure; times come with each call.
 */
final class DiskHealth {
    private static final int SLOW_MAX = 3;
    private static final long PAUSE_MAX_NANOS = 3_600_000_000_000L;
    /** An operation that takes so many times as long as a slow one may never end. */
    private static final int HANG = 4;

    private final long slowNanos;
    private final long firstPauseNanos;
    /** When operations under way began, the oldest first. */
    private final Map<Object, Long> underWay = new LinkedHashMap<>();

    private long pauseNanos;
    private long offUntil;
    private boolean off;
    private int slowInARow;
    private String reason = "";

    DiskHealth(long slowNanos, long pauseNanos) {
        this.slowNanos = slowNanos;
        this.firstPauseNanos = pauseNanos;
        this.pauseNanos = pauseNanos;
    }

    boolean isOff() {
        return off;
    }

    /** Whether one that is off should be tried again. */
    boolean mayTryAgain(long now) {
        return off && now - offUntil >= 0;
    }

    /** Why it is off. */
    String reason() {
        return reason;
    }

    /** An operation went well. True if the disk is off now because it was too slow. */
    boolean succeeded(long tookNanos, long now) {
        if (tookNanos <= slowNanos) {
            slowInARow = 0;
            pauseNanos = firstPauseNanos;
            return false;
        }
        if (++slowInARow < SLOW_MAX) {
            return false;
        }
        failed(
                "%d operations in a row took more than %d ms, the last %d ms"
                        .formatted(SLOW_MAX, slowNanos / 1_000_000, tookNanos / 1_000_000),
                now);
        return true;
    }

    void begun(Object operation, long now) {
        underWay.put(operation, now);
    }

    void ended(Object operation) {
        underWay.remove(operation);
    }

    /** Looks for an operation that may never end. True if the disk is off now because of one. */
    boolean hangs(long now) {
        if (underWay.isEmpty()) {
            return false;
        }
        long took = now - underWay.values().iterator().next();
        if (took <= HANG * slowNanos) {
            return false;
        }
        failed("an operation has not ended for %d ms".formatted(took / 1_000_000), now);
        return true;
    }

    /** It is off from now on. */
    void failed(String why, long now) {
        off = true;
        reason = why;
        offUntil = now + pauseNanos;
        pauseNanos = Math.min(2 * pauseNanos, PAUSE_MAX_NANOS);
        slowInARow = 0;
        underWay.clear();
    }

    /** It is tried again. */
    void on() {
        off = false;
        reason = "";
    }
}
