package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.hash.NameCache;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SamplingState;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.Scheduler;
import dev.kvasir.worker.schedule.Sequence;
import dev.kvasir.worker.schedule.Standing;
import java.util.ArrayList;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * How requests come in: refused, or made into outputs and sequences. A request that begins has one sequence for all its
 * outputs, which share the prompt; one that goes on has a sequence for each output that has not ended, and prefill computes
 * what another worker had generated as if it were prompt.
 */
final class Intake {
    private final EngineSettings settings;
    private final ModelRunner runner;
    private final BlockHasher hasher;
    private final Deadlines deadlines;
    private long arrivals;

    Intake(EngineSettings settings, ModelRunner runner, Deadlines deadlines) {
        this.settings = settings;
        this.deadlines = deadlines;
        this.runner = runner;
        long bytes = settings.nameCacheBytes();
        this.hasher = new BlockHasher(settings.limits().blockSize(), bytes == 0 ? null : new NameCache(bytes));
    }

    /** @param backlogMillis time that the work at hand will take, for the hint when to retry */
    @Nullable
    Refusal check(ActiveRequest request, Queues queues, long nowNanos, LongSupplier backlogMillis) {
        int freeSeats = settings.limits().sequencesMax() - queues.runningSeats();
        var tenant = request.request().tenant().name();
        int ahead = queues.waitingCount() < freeSeats ? 0 : queues.aheadOf(tenant) + 1;
        var late = deadlines.onArrival(request, ahead, queues.isEmpty(), nowNanos);
        if (late != null) {
            return late;
        }
        var refusal = Admission.check(
                request.request(), request.continuation(), settings, runner.vocabularySize(), runner.blockCount());
        return refusal.orElseGet(() -> overload(queues, freeSeats, backlogMillis));
    }

    private @Nullable Refusal overload(Queues queues, int freeSeats, LongSupplier backlogMillis) {
        int waiting = queues.waitingCount();
        if (waiting - freeSeats < settings.waitingMax()) {
            return null;
        }
        return new Refusal(
                FailureKind.RESOURCE_EXHAUSTED,
                "%d requests are waiting, at most %d may".formatted(waiting, settings.waitingMax()),
                deadlines.retryMillis(waiting, backlogMillis));
    }

    /**
     * The outputs that are still to be generated, with their sequences.
     *
     * @throws dev.kvasir.protocol.BadRequestException where sampling parameters do not fit the vocabulary
     */
    Output[] outputs(ActiveRequest active, long nowNanos) {
        var request = active.request();
        var continuation = active.continuation();
        long rank = Scheduler.rank(nowNanos, request.priority(), settings.agingNanos());
        var standing = new Standing(request.tenant().name(), request.priority(), rank, arrivals++);
        boolean scores =
                request.sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS && !continuation.promptScored();
        return continuation.begins()
                ? beginning(active, standing, scores)
                : continuing(active, continuation, standing, scores);
    }

    private Output[] beginning(ActiveRequest active, Standing standing, boolean scores) {
        var request = active.request();
        int n = request.sampling().n();
        var sequence = Sequence.waiting(standing, request.prompt(), n, scores, chain(request));
        var outputs = new Output[n];
        for (int i = 0; i < n; i++) {
            outputs[i] = new Output(i, sampling(active, i), sequence);
        }
        return outputs;
    }

    private Output[] continuing(ActiveRequest active, Continuation continuation, Standing standing, boolean scores) {
        var request = active.request();
        var outputs = new ArrayList<Output>();
        for (int i = 0; i < continuation.outputs().size(); i++) {
            var known = continuation.outputs().get(i);
            if (!known.ended()) {
                boolean first = outputs.isEmpty();
                var sequence = Sequence.continuing(
                        standing, i, request.prompt(), known.tokens(), scores && first, chain(request));
                var output = new Output(i, sampling(active, i), sequence);
                output.known(known.tokens());
                outputs.add(output);
            }
        }
        return outputs.toArray(Output[]::new);
    }

    private SamplingState sampling(ActiveRequest active, int output) {
        var request = active.request();
        return new SamplingState(
                request.sampling(), output, request.prompt(), runner.vocabularySize(), settings.endTokenIds());
    }

    private HashChain chain(GenerationRequest request) {
        if (!settings.prefixCaching()) {
            return HashChain.unnamed();
        }
        var root = new HashRoot(
                settings.kvOrigin(),
                "",
                settings.kvDtype(),
                settings.limits().blockSize(),
                request.tenant().salt(),
                request.cacheSalt());
        return HashChain.of(hasher, hasher.root(root));
    }
}
