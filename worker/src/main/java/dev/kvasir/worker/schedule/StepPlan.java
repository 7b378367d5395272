package dev.kvasir.worker.schedule;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What the next step does: who gives its blocks back, who starts with how many cached blocks, and who computes how many
 * tokens. To be applied in this order. One object, refilled by its scheduler for each step.
 */
public final class StepPlan {
    private final List<Sequence> preempted = new ArrayList<>();
    private final List<Sequence> preemptedView = Collections.unmodifiableList(preempted);
    private final List<Sequence> admitted = new ArrayList<>();
    private final List<Sequence> admittedView = Collections.unmodifiableList(admitted);
    private final List<Sequence> scheduled = new ArrayList<>();
    private final List<Sequence> scheduledView = Collections.unmodifiableList(scheduled);
    private final int[] cachedBlocks;
    private final int[] tokens;
    private int tokenCount;

    StepPlan(int sequencesMax) {
        cachedBlocks = new int[sequencesMax];
        tokens = new int[sequencesMax];
    }

    void clear() {
        preempted.clear();
        admitted.clear();
        scheduled.clear();
        tokenCount = 0;
    }

    void preempt(Sequence sequence) {
        preempted.add(sequence);
    }

    void admit(Sequence sequence, int blocksFromCache) {
        cachedBlocks[admitted.size()] = blocksFromCache;
        admitted.add(sequence);
    }

    void schedule(Sequence sequence, int count) {
        tokens[scheduled.size()] = count;
        scheduled.add(sequence);
        tokenCount += count;
    }

    public List<Sequence> preempted() {
        return preemptedView;
    }

    public List<Sequence> admitted() {
        return admittedView;
    }

    /** Leading blocks that the i-th admitted sequence takes from the cache. */
    public int cachedBlocks(int i) {
        return cachedBlocks[i];
    }

    /** Sequences that compute tokens, in the order in which blocks were counted for them. */
    public List<Sequence> scheduled() {
        return scheduledView;
    }

    /** Tokens that the i-th scheduled sequence computes, at least 1. */
    public int tokens(int i) {
        return tokens[i];
    }

    /** Tokens of the step. */
    public int tokenCount() {
        return tokenCount;
    }
}
