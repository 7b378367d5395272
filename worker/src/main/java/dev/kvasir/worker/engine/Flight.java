package dev.kvasir.worker.engine;

import dev.kvasir.worker.runner.Step;
import dev.kvasir.worker.schedule.Sequence;
import dev.kvasir.worker.schedule.StepPlan;
import java.util.ArrayList;
import java.util.List;

/** A step that the runner has begun, and whose its works are. Allocated once and refilled. */
final class Flight {
    private final Step step;
    private final List<Sequence> sequences = new ArrayList<>();
    private int tokenCount;
    private int preemptions;

    Flight(int sequencesMax) {
        step = new Step(sequencesMax);
    }

    void clear() {
        step.clear();
        sequences.clear();
        tokenCount = 0;
        preemptions = 0;
    }

    /** Takes what a plan schedules, whose works are in the step. */
    void take(StepPlan plan) {
        for (int i = 0; i < plan.scheduled().size(); i++) {
            sequences.add(plan.scheduled().get(i));
        }
        tokenCount = plan.tokenCount();
        preemptions = plan.preempted().size();
    }

    /** One more sequence, which computes one token; its work is in the step. */
    void take(Sequence sequence) {
        sequences.add(sequence);
        tokenCount++;
    }

    Step step() {
        return step;
    }

    int size() {
        return sequences.size();
    }

    Sequence sequence(int index) {
        return sequences.get(index);
    }

    int tokenCount() {
        return tokenCount;
    }

    /** Tokens of sequences that compute more than one: parts of prompts. */
    int prefillTokenCount() {
        int count = 0;
        for (int i = 0; i < step.size(); i++) {
            var work = step.get(i);
            int tokens = work.to() - work.from();
            count += tokens > 1 ? tokens : 0;
        }
        return count;
    }

    int preemptions() {
        return preemptions;
    }
}
