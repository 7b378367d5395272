package dev.kvasir.worker.schedule;

/**
 * Where a sequence stands.
 *
 * <pre>
 * WAITING    -> RUNNING, FINISHED
 * RUNNING    -> PREEMPTED, FINISHED
 * PREEMPTED  -> RUNNING, FINISHED
 * FINISHED   -> nothing
 * </pre>
 */
public enum SequenceState {
    /** Queued, never run. Holds no blocks. */
    WAITING,
    /** Takes part in steps. Holds blocks. */
    RUNNING,
    /** Has given its blocks back and waits to recompute them. */
    PREEMPTED,
    FINISHED;

    boolean mayBecome(SequenceState next) {
        return switch (this) {
            case WAITING, PREEMPTED -> next == RUNNING || next == FINISHED;
            case RUNNING -> next == PREEMPTED || next == FINISHED;
            case FINISHED -> false;
        };
    }
}
