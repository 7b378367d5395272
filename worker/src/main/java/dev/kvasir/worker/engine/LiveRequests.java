package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.Sequence;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The requests in the engine and the sequences that they own. Whatever way a request leaves, it leaves here: its sequences
 * give back their blocks and places in queues, and its sink is told, once, that it has ended.
 */
final class LiveRequests {
    private final Queues queues;
    private final PrefixCache cache;
    private final Fetching fetching;
    private final EngineObserver observer;
    private final List<ActiveRequest> requests = new ArrayList<>();
    private final Map<Sequence, ActiveRequest> owners = new HashMap<>();

    LiveRequests(Queues queues, PrefixCache cache, Fetching fetching, EngineObserver observer) {
        this.queues = queues;
        this.cache = cache;
        this.fetching = fetching;
        this.observer = observer;
    }

    void add(ActiveRequest request) {
        requests.add(request);
    }

    int size() {
        return requests.size();
    }

    /** Counted from the one that came first. */
    ActiveRequest get(int index) {
        return requests.get(index);
    }

    /** Notes whose a sequence is; false where that was known. */
    boolean own(Sequence sequence, ActiveRequest request) {
        return owners.put(sequence, request) == null;
    }

    /** Null where its request has left. */
    @Nullable
    ActiveRequest ownerOrNull(Sequence sequence) {
        return owners.get(sequence);
    }

    ActiveRequest owner(Sequence sequence) {
        var request = owners.get(sequence);
        if (request == null) {
            throw new IllegalStateException(sequence + " belongs to no request");
        }
        return request;
    }

    Iterable<Sequence> sequences() {
        return owners.keySet();
    }

    /** Tokens to be computed: those known, but for what sequences that wait will find. */
    long tokensInFlight() {
        long tokens = 0;
        for (var sequence : owners.keySet()) {
            tokens += sequence.expectedWork();
        }
        return tokens;
    }

    /** An output leaves; its sequence with it, unless siblings still share that; its request with the last. */
    void end(ActiveRequest request, Output output) {
        output.end();
        if (output.sequence().seats() > 1) {
            queues.dropSeat(output.sequence());
        } else {
            remove(output.sequence());
        }
        if (request.outputEnded()) {
            leave(request);
        }
    }

    /** Ends the outputs that were given up. */
    void dropCancelled(ActiveRequest request) {
        for (var output : request.outputs()) {
            if (!output.ended() && (request.isCancelled() || request.isOutputCancelled(output.index()))) {
                observer.finished(
                        FinishReason.ABORT,
                        request.request().prompt().length,
                        output.sequence().generated());
                end(request, output);
            }
        }
    }

    void fail(ActiveRequest request, Refusal refusal) {
        for (var output : request.outputs()) {
            if (!output.ended()) {
                output.end();
                if (owners.containsKey(output.sequence())) {
                    remove(output.sequence());
                }
            }
        }
        refuse(request, refusal);
        requests.remove(request);
    }

    /** Ends a request that owns nothing. */
    void refuse(ActiveRequest request, Refusal refusal) {
        observer.failed(refusal.kind());
        request.sink()
                .publish(new StreamEvent.Failed(
                        request.id(), refusal.kind(), refusal.message(), refusal.retryAfterMillis()));
        request.sink().ended();
    }

    void leave(ActiveRequest request) {
        requests.remove(request);
        request.sink().ended();
    }

    /** Fails all requests. Nothing may follow: blocks and queues, which may be what is broken, are left as they are. */
    void abandon(FailureKind kind, String message) {
        requests.forEach(request -> refuse(request, Refusal.of(kind, message)));
        requests.clear();
    }

    private void remove(Sequence sequence) {
        owners.remove(sequence);
        cache.release(sequence.table());
        fetching.forget(sequence);
        queues.finish(sequence);
    }
}
