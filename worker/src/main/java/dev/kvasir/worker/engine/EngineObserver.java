package dev.kvasir.worker.engine;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;

/** Is told what happens, for metrics. Called by the engine's thread; must not block. */
public interface EngineObserver {
    /** A request's first step: it waited so long, and so much of its prompt was found in the prefix cache. */
    void started(long queueNanos, int promptTokens, int cachedTokens);

    /**
     * A request that starts here was begun elsewhere, or stopped here.
     *
     * @param knownTokens of prompt and output so far
     * @param cachedTokens of these, found in the prefix cache; the others are computed again
     */
    void resumed(int knownTokens, int cachedTokens);

    /** How much there is to do, whenever that changes. */
    void loaded(EngineLoad now);

    /** A step was computed. */
    void stepped(int tokens, int generatedTokens, int preemptions);

    /** An output ended. */
    void finished(FinishReason reason, int promptTokens, int generatedTokens);

    /** A request was refused, or failed later. */
    void failed(FailureKind kind);
}
