package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.BlockLoans;
import dev.kvasir.kvstore.block.BlockPool;
import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.schedule.Forecast;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.Scheduler;
import dev.kvasir.worker.schedule.Sequence;
import dev.kvasir.worker.schedule.StepPlan;
import java.util.List;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * The engine without its thread and clock: takes requests, computes steps (plan, run, apply), publishes what came of them.
 * Every request that was submitted leaves through its sink's {@code ended}, and with it all of its blocks.
 */
public final class EngineCore {
    private static final int SCORES_PER_MESSAGE = 1024;

    private final EngineSettings settings;
    private final ModelRunner runner;
    private final EngineObserver observer;
    private final SharedBlocks shared;
    private final Fetching fetching;
    private final PrefixCache cache;
    private final Intake intake;
    private final Queues queues;
    private final Scheduler scheduler;
    private final PlanApplier applier;
    private final Lookahead lookahead;
    private final Output[] choosing = new Output[SamplingParameters.N_MAX];

    private final BlockLoans loans;
    private final Queue<BlockLoans.Loan> givenBack = new ConcurrentLinkedQueue<>();
    private final LiveRequests live;
    private final Throughput throughput = new Throughput();
    private final Forecast forecast = new Forecast();
    private final Deadlines deadlines = new Deadlines(forecast);
    private long stepNanos;
    private final PrefillSpeed prefillSpeed = new PrefillSpeed();
    private int generated;
    /** The step that was begun before the one before it was finished. */
    private @Nullable Flight ahead;

    private final Flight first;
    private final Flight second;

    /** An engine whose blocks nobody else hears of. */
    public EngineCore(EngineSettings settings, ModelRunner runner, EngineObserver observer) {
        this(settings, runner, observer, new SharedBlocks(() -> {}), Puller.NONE);
    }

    public EngineCore(
            EngineSettings settings, ModelRunner runner, EngineObserver observer, SharedBlocks shared, Puller puller) {
        this.settings = settings;
        this.runner = runner;
        this.observer = observer;
        this.shared = shared;
        queues = new Queues(settings.fairness());
        int blockSize = settings.limits().blockSize();
        cache = new PrefixCache(new BlockPool(runner.blockCount()));
        shared.join(cache, runner);
        // Beside the longest sequence: its copy of a shared block, and what is promised to those that start with it.
        int longest = settings.limits().blocks(settings.maxModelLength())
                + settings.limits().sequencesMax()
                + 1;
        loans = new BlockLoans(cache, BlockLoans.limit(runner.blockCount(), longest));
        fetching = new Fetching(shared, puller, queues, cache, settings.limits());
        live = new LiveRequests(queues, cache, fetching, observer);
        intake = new Intake(settings, runner, deadlines);
        scheduler = new Scheduler(settings.limits(), cache);
        applier = new PlanApplier(queues, cache, runner, blockSize);
        lookahead = new Lookahead(settings, runner, queues, cache, applier, live);
        first = new Flight(settings.limits().sequencesMax());
        second = new Flight(settings.limits().sequencesMax());
    }

    /** Queues a request, or refuses it; either way its sink hears of it. */
    public void submit(ActiveRequest request, long nowNanos) {
        var refusal = intake.check(request, queues, nowNanos, () -> throughput.millisFor(live.tokensInFlight()));
        if (refusal != null && refusal.kind() == FailureKind.RESOURCE_EXHAUSTED && makeRoom(request, refusal)) {
            refusal = null;
        }
        if (refusal == null) {
            refusal = enqueue(request, nowNanos);
        }
        if (refusal != null) {
            live.refuse(request, refusal);
        }
    }

    /** In a full queue a tenant with many requests gives one's place to a tenant with few: nobody can shut others out. */
    private boolean makeRoom(ActiveRequest request, Refusal refusal) {
        var last = queues.givesWayTo(request.request().tenant().name());
        if (last == null) {
            return false;
        }
        live.fail(
                live.owner(last),
                new Refusal(
                        FailureKind.RESOURCE_EXHAUSTED,
                        "the queue is full and its place went to a tenant with fewer requests in it",
                        refusal.retryAfterMillis()));
        return true;
    }

    private @Nullable Refusal enqueue(ActiveRequest active, long nowNanos) {
        Output[] outputs;
        try {
            outputs = intake.outputs(active, nowNanos);
        } catch (BadRequestException e) {
            return Refusal.of(FailureKind.INVALID_ARGUMENT, String.valueOf(e.getMessage()));
        }
        active.queued(outputs, nowNanos);
        live.add(active);
        long ahead = active.sources().isEmpty() ? 0 : live.tokensInFlight();
        for (var output : outputs) {
            if (live.own(output.sequence(), active)) {
                queues.add(output.sequence());
                fetching.queued(output.sequence(), active.sources(), prefillSpeed.tokensPerSecond(), ahead);
            }
        }
        active.sink().publish(new StreamEvent.Accepted(active.id(), settings.incarnation()));
        for (var output : outputs) {
            var sequence = output.sequence();
            // The last token that came with it may have been its end, which was lost with the worker before.
            if (sequence.generated() > 0) {
                finishIfDone(active, output, sequence.tokens()[sequence.tokenCount() - 1]);
            }
        }
        if (outputs.length == 0) {
            live.leave(active);
        }
        return null;
    }

    /** Whether there is nothing to compute. */
    public boolean isIdle() {
        return ahead == null && queues.isEmpty() && fetching.isEmpty();
    }

    /** Whether all that is to be computed waits for blocks of others. */
    public boolean waitsForPulls() {
        return ahead == null && queues.isEmpty() && fetching.waitsForPulls();
    }

    /**
     * Drops what was cancelled or is late, then computes one step of what is left. Where the runner can, the step after it is
     * begun before this one's tokens are known; the next call finishes that one. Throws only when runner or engine are broken
     * for good; then {@link #abandon} is all that may follow.
     */
    public void step(long nowNanos) {
        stepNanos = nowNanos;
        loans.expire(nowNanos);
        dropUnwanted(nowNanos);
        fetching.arrange();
        var now = ahead == null ? begin(nowNanos) : ahead;
        if (now == null) {
            prefillSpeed.paused();
            flushShared(); // What came back for those that wait, or have gone.
            return;
        }
        var next = now.equals(first) ? second : first;
        ahead = lookahead.follow(now, next) ? next : null;
        if (ahead != null) {
            runner.begin(ahead.step());
        }
        shared.copyReused();
        runner.finish(now.step());
        settle(now, nowNanos);
        if (ahead != null && queues.isEmpty()) {
            runner.finish(ahead.step());
            ahead = null;
        }
    }

    /** Plans a step and begins it; null where there is nothing to compute. */
    private @Nullable Flight begin(long nowNanos) {
        if (queues.isEmpty()) {
            return null;
        }
        var plan = scheduler.plan(queues);
        if (plan.scheduled().isEmpty() && plan.preempted().isEmpty()) {
            throw new IllegalStateException("nothing can move: %d running, %d waiting, %d blocks available"
                    .formatted(
                            queues.running().size(),
                            queues.waitingCount(),
                            cache.pool().available()));
        }
        var flight = first;
        flight.clear();
        applier.apply(plan, flight.step());
        flight.take(plan);
        noteStarts(plan, nowNanos);
        for (int i = 0; i < flight.size(); i++) {
            ask(flight.sequence(i), flight.step().get(i));
        }
        runner.begin(flight.step());
        return flight;
    }

    private void settle(Flight flight, long nowNanos) {
        generated = 0;
        for (int i = 0; i < flight.size(); i++) {
            settle(flight.sequence(i), flight.step().get(i));
        }
        throughput.stepped(flight.tokenCount(), nowNanos);
        prefillSpeed.stepped(flight.prefillTokenCount(), nowNanos);
        if (queues.isEmpty()) {
            prefillSpeed.paused();
        }
        flushShared();
        observer.stepped(flight.tokenCount(), generated, flight.preemptions());
    }

    /** Takes back what was lent, and hands news of blocks over. */
    public void flushShared() {
        BlockLoans.Loan loan;
        while ((loan = givenBack.poll()) != null) {
            loans.end(loan);
        }
        shared.flush();
    }

    private void noteStarts(StepPlan plan, long nowNanos) {
        int starts = 0;
        for (int i = 0; i < plan.admitted().size(); i++) {
            var request = live.owner(plan.admitted().get(i));
            int cached = plan.cachedBlocks(i) * settings.limits().blockSize();
            if (request.start(cached, nowNanos)) {
                starts++;
                int promptTokens = plan.admitted().get(i).tokenCount();
                cache.recordLookup(promptTokens, cached);
                observer.started(nowNanos - request.arrivalNanos(), promptTokens, cached);
                if (!request.continuation().begins()) {
                    observer.resumed(promptTokens, cached);
                }
            }
        }
        forecast.stepped(starts, queues.waitingCount() > 0, nowNanos);
    }

    /** Says what is wanted of the rows that a sequence computes. */
    private void ask(Sequence sequence, SequenceWork work) {
        var request = live.owner(sequence);
        int scoreFrom = sequence.scoreStart(work.from(), work.to());
        int scoreTo = sequence.scoreEnd(work.to());
        if (scoreFrom < scoreTo) {
            work.score(scoreFrom, scoreTo, request.request().sampling().promptLogprobs());
        }
        if (work.to() == sequence.tokenCount()) {
            for (var output : request.outputs()) {
                if (output.sequence() == sequence && !output.ended()) {
                    choosing[work.outputCount()] = output;
                    work.choose(output.sampling(), sequence.generated());
                }
            }
        }
    }

    private void settle(Sequence sequence, SequenceWork work) {
        var request = live.ownerOrNull(sequence);
        if (request == null) {
            return; // Its request has failed with an earlier sequence of this step.
        }
        if (work.failure() != null) {
            live.fail(
                    request,
                    Refusal.of(
                            FailureKind.INTERNAL, String.valueOf(work.failure().getMessage())));
            return;
        }
        applier.computed(sequence, work.to());
        request.promptScores().addAll(work.scores());
        if (work.outputCount() > 0) {
            continueOutputs(request, sequence, work);
        }
    }

    private void continueOutputs(ActiveRequest request, Sequence sequence, SequenceWork work) {
        publishScores(request);
        collectOutputs(request, sequence);
        for (int k = 1; k < work.outputCount(); k++) {
            fork(request, sequence, choosing[k]);
        }
        for (int k = 0; k < work.outputCount(); k++) {
            accept(request, choosing[k], work.chosen(k));
        }
    }

    /** In pieces, so that no message outgrows a frame between members. */
    private void publishScores(ActiveRequest request) {
        var scores = request.promptScores();
        for (int from = 0; from < scores.size(); from += SCORES_PER_MESSAGE) {
            int to = Math.min(from + SCORES_PER_MESSAGE, scores.size());
            request.sink().publish(new StreamEvent.PromptScored(request.id(), from, scores.subList(from, to)));
        }
        scores.clear();
    }

    private void collectOutputs(ActiveRequest request, Sequence sequence) {
        int count = 0;
        for (var output : request.outputs()) {
            if (output.sequence() == sequence && !output.ended()) {
                choosing[count++] = output;
            }
        }
    }

    private void fork(ActiveRequest request, Sequence sequence, Output output) {
        var fork = sequence.fork(output.index());
        cache.fork(sequence.table(), fork.table());
        queues.addRunning(fork);
        live.own(fork, request);
        output.moveTo(fork);
    }

    private void accept(ActiveRequest request, Output output, ScoredToken token) {
        output.append(token.token());
        queues.generated(output.sequence());
        generated++;
        int count = output.sequence().generated();
        request.sink()
                .publish(new StreamEvent.Tokens(
                        request.id(), output.index(), count - 1, List.of(token), request.cachedTokens()));
        finishIfDone(request, output, token.token());
    }

    private void finishIfDone(ActiveRequest request, Output output, int last) {
        var reason = output.reasonToStop(last, settings);
        if (reason != null) {
            int count = output.sequence().generated();
            var stop = reason == FinishReason.STOP ? OptionalInt.of(last) : OptionalInt.empty();
            request.sink().publish(new StreamEvent.Finished(request.id(), output.index(), count, reason, stop));
            observer.finished(reason, request.request().prompt().length, count);
            if (request.continuation().begins()) {
                forecast.ran(stepNanos - request.startNanos(), count);
            }
            live.end(request, output);
        }
    }

    private void dropUnwanted(long nowNanos) {
        boolean contended = queues.waitingCount() > 1;
        for (int i = live.size() - 1; i >= 0; i--) {
            var request = live.get(i);
            var refusal = deadlines.later(request, contended, nowNanos);
            if (refusal != null) {
                noteRun(request);
                live.fail(request, refusal);
            } else if (request.hasMarks()) {
                live.dropCancelled(request);
            }
        }
    }

    /** Those that are cut short tell how slow things are, too. */
    private void noteRun(ActiveRequest request) {
        for (var output : request.outputs()) {
            int tokens = output.sequence().generated();
            if (request.continuation().begins() && !output.ended() && tokens > 0) {
                forecast.ran(stepNanos - request.startNanos(), tokens);
            }
        }
    }

    /** Fails all requests; nothing may follow. */
    public void abandon(FailureKind kind, String message) {
        live.abandon(kind, message);
    }

    public EngineLoad load() {
        var pool = cache.pool();
        return new EngineLoad(
                queues.runningSeats(),
                queues.waitingSeats() + fetching.seats(),
                live.tokensInFlight(),
                pool.available(),
                pool.capacity(),
                prefillSpeed.tokensPerSecond());
    }

    /** What others hear and have of the blocks; of the engine's thread. */
    public SharedBlocks shared() {
        return shared;
    }

    /** Lends blocks to a neighbour until a time on the clock of steps; null where none can be lent. Of the engine's thread. */
    public BlockLoans.@Nullable Loan lend(List<BlockHash> hashes, long untilNanos) {
        return loans.lend(hashes, untilNanos);
    }

    /**
     * Takes blocks for a neighbour's bytes, for those of a chain that are not known; null where that is not possible. From then
     * on they may be written to, after steps begun before. Of the engine's thread.
     */
    public BlockLoans.@Nullable Loan reserve(List<BlockHash> hashes, int countMax) {
        var loan = loans.reserve(hashes, countMax);
        if (loan != null) {
            runner.fence();
        }
        return loan;
    }

    /** The first blocks of a reservation have come and were verified: they are found from now on. Of the engine's thread. */
    public void commit(BlockLoans.Loan loan, int verified) {
        loans.commit(loan, verified);
    }

    /** Gives a loan or reservation back, with the next step or task; any thread, and after any other end of it. */
    public void giveBack(BlockLoans.Loan loan) {
        givenBack.add(loan);
    }

    /** Loans and reservations, for metrics and tests; of the engine's thread. */
    public BlockLoans loans() {
        return loans;
    }

    /** For metrics and tests; of the engine's thread. */
    public PrefixCache cache() {
        return cache;
    }

    /** Live sequences, for tests and simulations; of the engine's thread. */
    public Iterable<Sequence> sequences() {
        return live.sequences();
    }
}
