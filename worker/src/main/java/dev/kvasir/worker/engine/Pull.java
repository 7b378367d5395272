package dev.kvasir.worker.engine;

/** A pull of KV blocks that is under way. What it brings lies in the host tier when it is done; it may bring less than asked. */
public interface Pull {
    /** Nothing more will come: all is there, or it failed, or took too long. */
    boolean isDone();

    /** Nobody waits for it any more. */
    void giveUp();
}
