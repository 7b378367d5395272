package dev.kvasir.worker.engine;

import dev.kvasir.protocol.StreamEvent;

/** Where a request's events go. Called by the engine's thread; must not block. */
public interface StreamSink {
    void publish(StreamEvent event);

    /** The request has left the engine and holds nothing there: finished, failed or cancelled. Called once, last. */
    void ended();
}
