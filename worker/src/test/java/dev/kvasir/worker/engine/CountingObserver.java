package dev.kvasir.worker.engine;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;

/** Counts. */
public final class CountingObserver implements EngineObserver {
    int started;
    int resumedTokens;
    int recomputedTokens;
    int preemptions;
    int finished;
    int failed;
    int generated;
    int lastTokens;
    EngineLoad load = new EngineLoad(0, 0, 0, 0, 0, 0);

    @Override
    public void started(long queueNanos, int promptTokens, int cachedTokens) {
        started++;
    }

    @Override
    public void resumed(int knownTokens, int cachedTokens) {
        resumedTokens += knownTokens;
        recomputedTokens += knownTokens - cachedTokens;
    }

    @Override
    public void loaded(EngineLoad now) {
        load = now;
    }

    @Override
    public void stepped(int tokens, int generatedTokens, int preemptionCount) {
        lastTokens = tokens;
        generated += generatedTokens;
        preemptions += preemptionCount;
    }

    @Override
    public void finished(FinishReason reason, int promptTokens, int generatedTokens) {
        finished++;
    }

    @Override
    public void failed(FailureKind kind) {
        failed++;
    }
}
