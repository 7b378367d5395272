package dev.kvasir.worker.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.block.BlockPool;
import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SchedulerTest {
    private static final int BLOCK_SIZE = 4;

    private static Standing standing(long arrival) {
        return new Standing("", 0, 0, arrival);
    }

    private final Queues queues = new Queues();
    private long arrivals;
    private PrefixCache cache = new PrefixCache(new BlockPool(64));
    private Scheduler scheduler = scheduler(16, 4);

    private Scheduler scheduler(int tokensMax, int sequencesMax) {
        return new Scheduler(new SchedulerLimits(tokensMax, sequencesMax, 8, BLOCK_SIZE), cache);
    }

    private Sequence submit(int promptLength) {
        return submit(promptLength, 0, 1);
    }

    private Sequence submit(int promptLength, int priority, int outputs) {
        var prompt = IntStream.range(0, promptLength).toArray();
        var sequence = Sequence.waiting(
                new Standing("", priority, Scheduler.rank(arrivals, priority, 1_000), arrivals++),
                prompt,
                outputs,
                false,
                HashChain.unnamed());
        queues.add(sequence);
        return sequence;
    }

    /** Plans and applies a step; each sequence that catches up is given a token. */
    private StepPlan step() {
        var plan = scheduler.plan(queues);
        plan.preempted().forEach(sequence -> {
            cache.release(sequence.table());
            queues.preempt(sequence);
        });
        for (int i = 0; i < plan.admitted().size(); i++) {
            queues.start(plan.admitted().get(i), plan.cachedBlocks(i), BLOCK_SIZE);
        }
        for (int i = 0; i < plan.scheduled().size(); i++) {
            var sequence = plan.scheduled().get(i);
            int end = sequence.computed() + plan.tokens(i);
            cache.grow(sequence.table(), Math.ceilDiv(end, BLOCK_SIZE));
            sequence.computedTo(end);
            if (sequence.remaining() == 0) {
                sequence.append(1);
            }
        }
        return plan;
    }

    @Test
    void aLongPromptIsComputedInChunksOfTheTokenBudget() {
        var sequence = submit(40);
        assertThat(step().tokens(0)).isEqualTo(16);
        assertThat(step().tokens(0)).isEqualTo(16);
        assertThat(step().tokens(0)).isEqualTo(8);
        assertThat(sequence.generated()).isEqualTo(1);
        assertThat(step().tokens(0)).isEqualTo(1);
    }

    @Test
    void decodesKeepTheirTokenBesideAPrefillThatCameBefore() {
        var first = submit(3);
        var second = submit(3);
        step();
        var urgent = submit(100, -2, 1);
        var last = submit(3);
        assertThat(step().scheduled()).containsExactly(first, second, urgent);
        var plan = step();
        assertThat(plan.scheduled()).containsExactly(urgent, first, second);
        assertThat(IntStream.range(0, 3).map(plan::tokens)).containsExactly(14, 1, 1);
        assertThat(last.state()).isEqualTo(SequenceState.WAITING);
    }

    @Test
    void waitingSequencesStartInOrderAndNobodyOvertakesTheHead() {
        cache = new PrefixCache(new BlockPool(10));
        scheduler = scheduler(64, 4);
        var running = submit(20);
        step();
        var large = submit(24);
        var small = submit(4);
        assertThat(step().admitted()).isEmpty();
        assertThat(small.state()).isEqualTo(SequenceState.WAITING);
        queues.finish(running);
        cache.release(running.table());
        assertThat(step().admitted()).containsExactly(large, small);
    }

    @Test
    void lowerPriorityNumbersStartFirstUntilWaitingOutweighsThem() {
        scheduler = scheduler(16, 1);
        submit(4, 5, 1);
        var urgent = submit(4, -1, 1);
        assertThat(step().admitted()).containsExactly(urgent);
        assertThat(Scheduler.rank(0, 1, 1_000)).isLessThan(Scheduler.rank(1_001, 0, 1_000));
        assertThat(Scheduler.rank(0, 1, 1_000)).isGreaterThan(Scheduler.rank(999, 0, 1_000));
    }

    @Test
    void whenBlocksRunOutTheYoungestOfLowestPriorityGivesAllOfItsBack() {
        cache = new PrefixCache(new BlockPool(5));
        scheduler = scheduler(16, 4);
        var first = submit(4);
        step();
        var low = submit(4, 1, 1);
        var second = submit(4);
        step();
        while (queues.running().size() > 1) {
            var plan = step();
            if (!plan.preempted().isEmpty()) {
                assertThat(plan.preempted()).first().isIn(low, second);
                assertThat(plan.admitted()).isEmpty();
            }
            assertThat(first.state()).isEqualTo(SequenceState.RUNNING);
            assertThat(low.state() == SequenceState.RUNNING && second.state() != SequenceState.RUNNING)
                    .isFalse();
        }
    }

    @Test
    void outputsOfOneRequestCountAsManySeats() {
        scheduler = scheduler(64, 4);
        var three = submit(4, 0, 3);
        var two = submit(4, 0, 2);
        assertThat(step().admitted()).containsExactly(three);
        three.dropSeat();
        assertThat(step().admitted()).containsExactly(two);
    }

    @Test
    void atLeastOneTokenOfAPromptIsComputedThoughAllOfItIsCached() {
        scheduler = scheduler(64, 4);
        var hasher = new BlockHasher(BLOCK_SIZE);
        var prompt = new int[8];
        var sequence = Sequence.waiting(standing(0), prompt, 1, false, HashChain.of(hasher, new BlockHash(1, 1)));
        cache.grow(sequence.table(), 2);
        cache.commit(sequence.chain(), 0, sequence.table());
        cache.commit(sequence.chain(), 1, sequence.table());
        cache.release(sequence.table());
        queues.add(sequence);
        var plan = scheduler.plan(queues);
        assertThat(plan.cachedBlocks(0)).isEqualTo(1);
        assertThat(plan.tokens(0)).isEqualTo(4);
        queues.finish(sequence);

        var scored = Sequence.waiting(standing(1), prompt, 1, true, HashChain.of(hasher, new BlockHash(1, 1)));
        queues.add(scored);
        assertThat(scheduler.plan(queues).cachedBlocks(0)).isZero();
    }

    @Test
    void promptRowsThatWantLogitsAreBoundedPerStep() {
        scheduler = scheduler(64, 4);
        var sequence = Sequence.waiting(standing(0), new int[20], 1, true, HashChain.unnamed());
        queues.add(sequence);
        assertThat(step().tokens(0)).isEqualTo(8);
        assertThat(step().tokens(0)).isEqualTo(8);
        assertThat(step().tokens(0)).isEqualTo(4);
        assertThat(sequence.generated()).isEqualTo(1);
    }

    @Test
    void aPlanChangesNothing() {
        submit(10);
        submit(10);
        scheduler.plan(queues);
        assertThat(queues.waitingCount()).isEqualTo(2);
        assertThat(cache.pool().free()).isEqualTo(64);
        assertThat(scheduler.plan(queues).tokenCount()).isEqualTo(16);
    }

    @Test
    void transitionsThatMakeNoSenseAreRefusedNamingBothStates() {
        var sequence = submit(4);
        step();
        queues.finish(sequence);
        assertThatThrownBy(sequence::preempt).hasMessageContaining("FINISHED").hasMessageContaining("PREEMPTED");
        assertThatThrownBy(() -> new SchedulerLimits(3, 4, 1, 16))
                .hasMessage("max-num-batched-tokens is 3 but must be at least 4");
    }
}
