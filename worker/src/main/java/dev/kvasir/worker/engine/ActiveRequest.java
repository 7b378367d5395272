package dev.kvasir.worker.engine;

import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A request in the engine, from submission to its end. Belongs to the engine's thread, but for {@link #cancel} and {@link
 * #cancelOutput}, which any thread may call: they leave a mark that the engine reads before its next step, so that cancels
 * need no room in a queue.
 */
public final class ActiveRequest {
    /** Deadline of a request that has none. */
    public static final long NO_DEADLINE = Long.MAX_VALUE;

    private static final int ALL = 1 << SamplingParameters.N_MAX;

    private final GenerationRequest request;
    private final Continuation continuation;
    private final StreamSink sink;
    private final List<KvSource> sources;
    private final long deadlineNanos;
    private final AtomicInteger cancelled = new AtomicInteger();

    private final List<ScoredToken> promptScores = new ArrayList<>();
    private Output[] outputs = {};
    private int outputsLeft;
    private long arrivalNanos;
    private int cachedTokens;
    private long startNanos;
    private boolean started;

    /** @param deadlineNanos on the engine's clock, or {@link #NO_DEADLINE} */
    public ActiveRequest(GenerationRequest request, long deadlineNanos, StreamSink sink) {
        this(request, Continuation.fresh(Attempt.FIRST), deadlineNanos, sink, List.of());
    }

    /** @param continuation where the request goes on */
    public ActiveRequest(GenerationRequest request, Continuation continuation, long deadlineNanos, StreamSink sink) {
        this(request, continuation, deadlineNanos, sink, List.of());
    }

    /** The same, where others are said to have KV blocks of the prompt. */
    public ActiveRequest(
            GenerationRequest request,
            Continuation continuation,
            long deadlineNanos,
            StreamSink sink,
            List<KvSource> sources) {
        this.request = request;
        this.continuation = continuation;
        this.deadlineNanos = deadlineNanos;
        this.sink = sink;
        this.sources = List.copyOf(sources);
    }

    /** Gives up all outputs. */
    public void cancel() {
        cancelled.getAndUpdate(marks -> marks | ALL);
    }

    /** Gives up one output; one that does not exist is ignored. */
    public void cancelOutput(int index) {
        if (index >= 0 && index < request.sampling().n()) {
            cancelled.getAndUpdate(marks -> marks | 1 << index);
        }
    }

    boolean hasMarks() {
        return cancelled.get() != 0;
    }

    /** Whether all outputs were given up. */
    public boolean isCancelled() {
        return (cancelled.get() & ALL) != 0;
    }

    boolean isOutputCancelled(int index) {
        return (cancelled.get() & (1 << index)) != 0;
    }

    boolean isLate(long nowNanos) {
        return deadlineNanos != NO_DEADLINE && nowNanos - deadlineNanos >= 0;
    }

    /** Time until the deadline; {@link #NO_DEADLINE} where there is none. */
    long nanosLeft(long nowNanos) {
        return deadlineNanos == NO_DEADLINE ? NO_DEADLINE : deadlineNanos - nowNanos;
    }

    /** Whether nothing was computed for it, here or elsewhere. */
    boolean isNew() {
        return !started && continuation.begins();
    }

    long startNanos() {
        return startNanos;
    }

    /** @param all outputs that have not ended */
    void queued(Output[] all, long nowNanos) {
        outputs = all;
        outputsLeft = all.length;
        arrivalNanos = nowNanos;
    }

    /** First start; false when it started before and was preempted. */
    boolean start(int tokensFromCache, long nowNanos) {
        if (started) {
            return false;
        }
        started = true;
        startNanos = nowNanos;
        cachedTokens = tokensFromCache;
        return true;
    }

    /** One output less; true when it was the last. */
    boolean outputEnded() {
        return --outputsLeft == 0;
    }

    Continuation continuation() {
        return continuation;
    }

    public GenerationRequest request() {
        return request;
    }

    public RequestId id() {
        return request.id();
    }

    List<KvSource> sources() {
        return sources;
    }

    StreamSink sink() {
        return sink;
    }

    Output[] outputs() {
        return outputs;
    }

    List<ScoredToken> promptScores() {
        return promptScores;
    }

    long arrivalNanos() {
        return arrivalNanos;
    }

    /** Prompt tokens found in a cache when the request began, wherever that was. */
    int cachedTokens() {
        return continuation.begins() ? cachedTokens : continuation.cachedTokens();
    }
}
