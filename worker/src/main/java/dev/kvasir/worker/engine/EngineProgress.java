package dev.kvasir.worker.engine;

/**
 * Whether an engine moves.
 *
 * @param inStepNanos time since the step at hand began; 0 between steps
 * @param slowestNanos time of the slowest step that ended
 */
public record EngineProgress(long inStepNanos, long slowestNanos) {
    /** A step that takes so many times as long as the slowest before will not come back. */
    private static final int FACTOR = 8;

    /** Whether the step at hand is taken for lost: not for being slow, but for being slow beyond all experience. */
    public boolean stuck(long stepTimeoutNanos) {
        return inStepNanos > Math.max(stepTimeoutNanos, FACTOR * slowestNanos);
    }
}
