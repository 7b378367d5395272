package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.runner.Step;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.Sequence;
import dev.kvasir.worker.schedule.StepPlan;

/**
 * Turns a plan into blocks and work: moves sequences between queues, gives blocks back, attaches cached prefixes, then
 * takes new blocks and copies shared ones before they are written. Prefixes are attached before any block is taken, so that
 * none of them is evicted in between.
 */
final class PlanApplier {
    private final Queues queues;
    private final PrefixCache cache;
    private final ModelRunner runner;
    private final int blockSize;

    PlanApplier(Queues queues, PrefixCache cache, ModelRunner runner, int blockSize) {
        this.queues = queues;
        this.cache = cache;
        this.runner = runner;
        this.blockSize = blockSize;
    }

    /** Applies a plan and fills {@code step} with one work for each scheduled sequence, in the plan's order. */
    void apply(StepPlan plan, Step step) {
        step.clear();
        for (int i = 0; i < plan.preempted().size(); i++) {
            var sequence = plan.preempted().get(i);
            cache.release(sequence.table());
            queues.preempt(sequence);
        }
        for (int i = 0; i < plan.admitted().size(); i++) {
            var sequence = plan.admitted().get(i);
            queues.start(sequence, plan.cachedBlocks(i), blockSize);
            cache.attach(sequence.chain(), plan.cachedBlocks(i), sequence.table());
        }
        for (int i = 0; i < plan.scheduled().size(); i++) {
            makeRoom(plan.scheduled().get(i), plan.tokens(i), step.add());
        }
    }

    /** Makes room for the token at {@code position}, which the work of that index in the step before chooses. */
    void follow(Sequence sequence, int position, int index, SequenceWork work) {
        makeRoom(sequence, position, 1);
        work.follow(index, sequence.tokens(), position, sequence.table().array());
    }

    private void makeRoom(Sequence sequence, int count, SequenceWork work) {
        int from = sequence.computed();
        makeRoom(sequence, from, count);
        work.compute(sequence.tokens(), from, from + count, sequence.table().array());
    }

    private void makeRoom(Sequence sequence, int from, int count) {
        var table = sequence.table();
        if (from % blockSize != 0) {
            int index = from / blockSize;
            int shared = cache.makeWritable(table, index);
            if (shared != PrefixCache.NOT_COPIED) {
                runner.copyBlock(shared, table.get(index));
            }
        }
        cache.grow(table, Math.ceilDiv(from + count, blockSize));
    }

    /** Notes that a sequence's work is done, and names the blocks that became full. */
    void computed(Sequence sequence, int end) {
        sequence.computedTo(end);
        sequence.chain().extend(sequence.tokens(), end);
        int full = Math.min(end / blockSize, sequence.chain().size());
        while (sequence.committed() < full) {
            cache.commit(sequence.chain(), sequence.committed(), sequence.table());
            sequence.blockCommitted();
        }
    }
}
