package dev.kvasir.kvstore.transfer;

/**
 * Where a transfer stands. Its receiver's memory is in nobody else's hands until an end state says that no writer is left.
 *
 * <pre>
 * RUNNING   -> DONE, FAILED, ABORTING
 * ABORTING  -> ABORTED
 * DONE      all that the sender had has come
 * FAILED    it broke off; what came before was verified and is of use
 * ABORTING  nobody wants it any more, but a writer may still be at work
 * ABORTED   no writer is left
 * </pre>
 */
public enum TransferState {
    RUNNING,
    DONE,
    FAILED,
    ABORTING,
    ABORTED;

    /** Nobody needs to wait for more. */
    public boolean isOver() {
        return this != RUNNING;
    }

    /** Nobody writes any more. */
    public boolean isQuiet() {
        return this == DONE || this == FAILED || this == ABORTED;
    }

    /** After somebody gave the transfer up. */
    public TransferState givenUp() {
        return this == RUNNING ? ABORTING : this;
    }

    /** After its last callback. */
    public TransferState ended(boolean complete) {
        return switch (this) {
            case RUNNING -> complete ? DONE : FAILED;
            case ABORTING -> ABORTED;
            case DONE, FAILED, ABORTED ->
                throw new IllegalStateException("a transfer that is " + this + " ended again");
        };
    }
}
