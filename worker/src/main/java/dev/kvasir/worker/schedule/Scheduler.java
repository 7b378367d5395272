package dev.kvasir.worker.schedule;

import dev.kvasir.kvstore.block.PrefixCache;

/**
 * Decides what the next step computes: continuous batching (Orca, OSDI 2022) with chunked prefill (Sarathi-Serve, OSDI
 * 2024) and preemption by recomputation (vLLM, SOSP 2023). A pure decision: it reads queues and blocks, and changes
 * neither.
 *
 * <p>Running sequences come first, in the order of service. One that lacks a single token gets it; the others share what
 * remains of the token budget. When blocks run out, the running sequence that is last in the order gives all of its back.
 * Nobody is admitted in a step that gives work up. Otherwise waiting sequences start in the order of service, nobody
 * overtaking the head, while there are seats, tokens, and blocks for all they know beside what those running still need.
 * That order shares what is served between tenants, {@link TenantLine}; those running keep to their ranks.
 *
 * <p>Nobody starves. Of those running, the first by rank always moves: all others give way to it, and whatever could not fit
 * alone was refused on arrival. The rank is fixed on arrival, {@link #rank}, so that only finitely many can come before
 * anyone of the same tenant; a tenant that waits is charged nothing while others are, so that its turn comes.
 */
public final class Scheduler {
    private static final int NOT_NOW = -1;

    private final SchedulerLimits limits;
    private final PrefixCache cache;
    private final BlockForecast forecast;
    private final StepPlan plan;
    private int budget;
    private int decodesAhead;
    private int scoredRows;
    private int promised;
    private int seats;

    public Scheduler(SchedulerLimits limits, PrefixCache cache) {
        this.limits = limits;
        this.cache = cache;
        this.forecast = new BlockForecast(cache.pool());
        this.plan = new StepPlan(limits.sequencesMax());
    }

    /**
     * Place in the order of service. A step of priority is worth {@code agingNanos} of waiting, so that a low priority
     * delays a request but cannot starve it: one of priority p comes before all that arrive later than p steps from now.
     */
    public static long rank(long arrivalNanos, int priority, long agingNanos) {
        return arrivalNanos + priority * agingNanos;
    }

    /** The plan of the next step, valid until the next call. */
    public StepPlan plan(Queues queues) {
        begin(queues);
        advanceRunning(queues);
        if (plan.preempted().isEmpty()) {
            admitWaiting(queues);
        }
        return plan;
    }

    private void admitWaiting(Queues queues) {
        queues.lookAlongWaiting();
        for (var next = queues.nextWaiting(); next != null; next = queues.nextWaiting()) {
            int cached = tryAdmit(next);
            if (cached == NOT_NOW) {
                break;
            }
            queues.tookWaiting(next.tokenCount() - (long) cached * limits.blockSize());
        }
    }

    private void begin(Queues queues) {
        plan.clear();
        forecast.begin();
        budget = limits.batchedTokensMax();
        scoredRows = limits.scoredRowsMax();
        promised = 0;
        seats = 0;
        decodesAhead = 0;
        var running = queues.running();
        for (int i = 0; i < running.size(); i++) {
            decodesAhead += decodes(running.get(i));
        }
    }

    private void advanceRunning(Queues queues) {
        var running = queues.running();
        int end = running.size();
        for (int i = 0; i < end; i++) {
            var sequence = running.get(i);
            decodesAhead -= decodes(sequence);
            int count = chunk(sequence, sequence.computed());
            while (newBlocks(sequence, count) > forecast.available() && end > i) {
                var last = running.get(--end);
                if (last != sequence) {
                    decodesAhead -= decodes(last);
                }
                forecast.giveBack(last.table());
                plan.preempt(last);
            }
            if (end > i) {
                advance(sequence, count);
            }
        }
    }

    private void advance(Sequence sequence, int count) {
        int later = limits.blocks(sequence.tokenCount()) - limits.blocks(sequence.computed() + count);
        promised += later + nextBlocks(sequence);
        seats += sequence.seats();
        if (count == 0) {
            return;
        }
        int needed = newBlocks(sequence, count);
        if (copies(sequence)) {
            forecast.copy(partialBlock(sequence));
            needed--;
        }
        forecast.take(needed);
        schedule(sequence, sequence.computed(), count);
    }

    /** Blocks that it takes from the cache, or {@link #NOT_NOW}. */
    private int tryAdmit(Sequence sequence) {
        if (seats + sequence.seats() > limits.sequencesMax() || budget == 0) {
            return NOT_NOW;
        }
        int cached = cache.match(sequence.chain(), sequence.reusableBlocksMax(limits.blockSize()));
        int from = cached * limits.blockSize();
        int count = chunk(sequence, from);
        int revived = 0;
        for (int i = 0; i < cached; i++) {
            revived += forecast.isUnused(cache.block(sequence.chain().get(i))) ? 1 : 0;
        }
        int all = limits.blocks(sequence.tokenCount());
        if (count == 0 || all - cached + revived + promised > forecast.available()) {
            return NOT_NOW;
        }
        for (int i = 0; i < cached; i++) {
            forecast.share(cache.block(sequence.chain().get(i)));
        }
        int now = limits.blocks(from + count);
        forecast.take(now - cached);
        promised += all - now + nextBlocks(sequence);
        seats += sequence.seats();
        plan.admit(sequence, cached);
        schedule(sequence, from, count);
        return cached;
    }

    private void schedule(Sequence sequence, int from, int count) {
        budget -= count;
        scoredRows -= scoredRows(sequence, from, count);
        plan.schedule(sequence, count);
    }

    /** Tokens of a sequence that fit into what is left of the step, keeping one for each decode behind it. */
    private int chunk(Sequence sequence, int from) {
        int remaining = sequence.tokenCount() - from;
        int count = remaining == 1 ? 1 : Math.min(remaining, budget - decodesAhead);
        int excess = scoredRows(sequence, from, count) - scoredRows;
        return Math.max(0, excess > 0 ? count - excess - beyondPrompt(sequence, from, count) : count);
    }

    /** Rows of a chunk behind those that score prompt tokens. */
    private static int beyondPrompt(Sequence sequence, int from, int count) {
        return from + count - sequence.scoreEnd(from + count);
    }

    private static int scoredRows(Sequence sequence, int from, int count) {
        return sequence.scoreEnd(from + count) - sequence.scoreStart(from, from + count);
    }

    /** Blocks that its outputs will soon want beside those for what is known: one each. */
    private static int nextBlocks(Sequence sequence) {
        return sequence.seats();
    }

    private static int decodes(Sequence sequence) {
        return sequence.remaining() == 1 ? 1 : 0;
    }

    /** Blocks that a running sequence takes from the pool to compute {@code count} tokens. */
    private int newBlocks(Sequence sequence, int count) {
        if (count == 0) {
            return 0;
        }
        return limits.blocks(sequence.computed() + count) - sequence.table().size() + (copies(sequence) ? 1 : 0);
    }

    /** Whether the next token goes into a block that others hold too. */
    private boolean copies(Sequence sequence) {
        return sequence.computed() % limits.blockSize() != 0 && forecast.isShared(partialBlock(sequence));
    }

    private int partialBlock(Sequence sequence) {
        return sequence.table().get(sequence.computed() / limits.blockSize());
    }
}
