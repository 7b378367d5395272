package dev.kvasir.router;

import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The life of one request at its router: which worker has it, and where it goes when that worker is lost, refuses it or
 * gives it back. Messages and times in, actions out; no clock, no actor.
 *
 * <pre>
 * PLACING   a worker is being chosen
 * WAITING   there is none; one may come, or come back
 * SENT      a worker has been told, and has not yet answered
 * RUNNING   a worker has it
 * ENDED     the client has its last event
 * </pre>
 *
 * <p>Only words of the current attempt count. Silence is not trusted: after a while the worker is asked again, and says
 * what was lost, or that it never heard of the request.
 */
public final class Session {
    /** What the owner is to do, in order. */
    public sealed interface Action {
        /** For the client. */
        record Emit(OutputEvent event) implements Action {}

        /** Choose a worker but for these; answer with {@link Session#placed} or {@link Session#notPlaced}. */
        record Place(Set<WorkerId> without) implements Action {
            public Place {
                without = Set.copyOf(without);
            }
        }

        record Generate(WorkerId worker, Continuation continuation) implements Action {}

        record Claim(WorkerId worker, long attempt) implements Action {}

        record Again(WorkerId worker, long attempt, List<Integer> next, boolean promptScored) implements Action {}

        record Cancel(WorkerId worker, long attempt, OptionalInt output) implements Action {}
    }

    /**
     * Bounds, in nanoseconds but for the last.
     *
     * @param silence after which the worker is asked again
     * @param accept within which a worker says that it has the request
     * @param workerWait within which some worker must be there for a request that was accepted once
     * @param retry between two looks for a worker
     * @param withoutProgressMax placements in a row without a new token
     */
    public record Bounds(long silence, long accept, long workerWait, long retry, int withoutProgressMax) {}

    /** What may yet become of a request that no worker can take now. */
    public enum Prospect {
        /** A worker was heard not long ago, and may be again. */
        SILENT,
        /** No worker is known; one may come. */
        ABSENT,
        /** No worker is known, and this router's process ends before one comes: waiting would only put that off. */
        NONE
    }

    private enum Phase {
        PLACING,
        WAITING,
        SENT,
        RUNNING,
        ENDED
    }

    /** So often a worker that does not know the request is told it anew, before another is. */
    private static final int RESENDS_MAX = 2;

    private static final int GAP_ASKS_PER_SILENCE = 8;

    private final ValidRequest request;
    private final Bounds bounds;
    private final StreamState state;
    private final Set<WorkerId> without = new HashSet<>();
    private Phase phase = Phase.PLACING;
    private @Nullable WorkerId worker;
    private long attempt;
    private boolean accepted;
    private boolean gapSeen;
    private @Nullable Failure refusal;
    private String lastLoss = "";
    private int placements;
    private int resends;
    private int tokensAtPlacement;
    private long sentNanos;
    private long heardNanos;
    private long askedNanos;
    private long withoutWorkerNanos;
    private boolean withoutWorker;
    private long retryNanos;

    /** A request that begins. */
    public static Session begin(ValidRequest request, Bounds bounds) {
        return new Session(request, ResumePoint.START, bounds, Attempt.FIRST - 1);
    }

    /**
     * A request whose stream another router, or this one, had.
     *
     * @param received what the client has
     * @param attempt the highest one known of
     */
    public static Session resume(ValidRequest request, ResumePoint received, Bounds bounds, long attempt) {
        var session = new Session(request, received, bounds, Attempt.resumed(attempt) - 1);
        session.accepted = true;
        return session;
    }

    private Session(ValidRequest request, ResumePoint received, Bounds bounds, long attempt) {
        this.request = request;
        this.bounds = bounds;
        this.state = new StreamState(request, received);
        this.attempt = attempt;
    }

    public boolean ended() {
        return phase == Phase.ENDED;
    }

    public long attempt() {
        return attempt;
    }

    /** Where the request is, or was last. */
    public @Nullable WorkerId worker() {
        return worker;
    }

    /** Tokens so far, which a worker that goes on computes along with the prompt. */
    public int tokenCount() {
        return state.tokenCount();
    }

    /** Times that the request was given to a worker. */
    public int placements() {
        return placements;
    }

    /** Has it placed. */
    public List<Action> start() {
        return List.of(new Action.Place(without));
    }

    /** Takes it over from where it is. */
    public List<Action> claim(WorkerId from, long nowNanos) {
        sent(from, nowNanos);
        return List.of(new Action.Claim(from, attempt));
    }

    /** A worker was chosen. */
    public List<Action> placed(WorkerId chosen, long nowNanos) {
        if (phase == Phase.ENDED) {
            return List.of();
        }
        resends = 0;
        return send(chosen, nowNanos);
    }

    private List<Action> send(WorkerId chosen, long nowNanos) {
        sent(chosen, nowNanos);
        return List.of(new Action.Generate(chosen, state.continuation(attempt)));
    }

    private void sent(WorkerId chosen, long nowNanos) {
        attempt = Attempt.placedAgain(attempt);
        placements++;
        tokensAtPlacement = state.tokenCount();
        worker = chosen;
        phase = Phase.SENT;
        gapSeen = false;
        sentNanos = nowNanos;
        heardNanos = nowNanos;
        askedNanos = nowNanos;
    }

    /** No worker can take it now. */
    public List<Action> notPlaced(String reason, Prospect prospect, long nowNanos) {
        if (phase == Phase.ENDED) {
            return List.of();
        }
        var refused = refusal;
        boolean wait = switch (prospect) {
            case SILENT -> true;
            case ABSENT -> accepted;
            case NONE -> false;
        };
        if (!wait) {
            return fail(refused != null ? refused : noWorker(reason));
        }
        if (!withoutWorker) {
            withoutWorker = true;
            withoutWorkerNanos = nowNanos;
        }
        if (nowNanos - withoutWorkerNanos >= bounds.workerWait()) {
            return fail(refused != null ? refused : gaveUp(reason));
        }
        phase = Phase.WAITING;
        retryNanos = nowNanos + bounds.retry();
        without.clear();
        return List.of();
    }

    /** A worker has spoken. */
    public List<Action> received(Delivery delivery, long nowNanos) {
        boolean heeded = phase == Phase.SENT || phase == Phase.RUNNING;
        if (!heeded
                || delivery.attempt() != attempt
                || !delivery.requestId().equals(request.generation().id())) {
            return List.of();
        }
        heardNanos = nowNanos;
        return switch (delivery) {
            case Delivery.Unknown _ -> unknown(nowNanos);
            case Delivery.Superseded _ -> fail(Failure.of(FailureKind.ABORTED, "the stream was resumed elsewhere"));
            case Delivery.Event event -> heard(event.event(), nowNanos);
        };
    }

    private List<Action> unknown(long nowNanos) {
        var at = worker;
        if (at != null && resends++ < RESENDS_MAX) {
            return send(at, nowNanos);
        }
        return moveOn("did not know the request", true);
    }

    private List<Action> heard(StreamEvent event, long nowNanos) {
        if (event instanceof StreamEvent.Failed failed) {
            return failed(failed, nowNanos);
        }
        phase = Phase.RUNNING;
        accepted = true;
        withoutWorker = false;
        var actions = apply(state.accept(event), nowNanos);
        if (state.tokenCount() > tokensAtPlacement) {
            placements = 1;
            refusal = null;
            without.clear();
        }
        return actions;
    }

    private List<Action> failed(StreamEvent.Failed failed, long nowNanos) {
        return switch (failed.kind()) {
            case UNAVAILABLE -> moveOn("gave it back: " + failed.message(), true);
            case RESOURCE_EXHAUSTED -> {
                refusal = Failure.retryable(failed.kind(), failed.message(), failed.retryAfterMillis());
                yield moveOn("refused it: " + failed.message(), true);
            }
            case INVALID_ARGUMENT,
                    CONTEXT_LENGTH_EXCEEDED,
                    UNAUTHENTICATED,
                    NOT_FOUND,
                    DEADLINE_EXCEEDED,
                    CANCELLED,
                    ABORTED,
                    INTERNAL -> apply(state.accept(failed), nowNanos);
        };
    }

    /** A worker is lost, or as good as lost; it may yet be heard again. */
    public List<Action> lost(WorkerId which, String how) {
        boolean here = which.equals(worker) && (phase == Phase.SENT || phase == Phase.RUNNING);
        return here ? moveOn(how, false) : List.of();
    }

    private List<Action> moveOn(String how, boolean avoid) {
        var actions = new ArrayList<Action>(2);
        var from = worker;
        if (from != null) {
            lastLoss = "worker %s %s".formatted(from, how);
            actions.add(new Action.Cancel(from, attempt, OptionalInt.empty()));
            if (avoid) {
                without.add(from);
            }
        }
        if (placements > bounds.withoutProgressMax()) {
            var refused = refusal;
            actions.addAll(fail(
                    refused != null
                            ? refused
                            : unavailable(
                                    "the request was given to %d workers in a row, none of which went on with it; %s"
                                            .formatted(placements, lastLoss))));
            return actions;
        }
        phase = Phase.PLACING;
        actions.add(new Action.Place(without));
        return actions;
    }

    /** Time has passed; to be called every now and then. */
    public List<Action> tick(long nowNanos) {
        var at = worker;
        return switch (phase) {
            case PLACING, ENDED -> List.of();
            case WAITING -> nowNanos - retryNanos < 0 ? List.of() : lookAgain();
            case SENT, RUNNING -> {
                if (phase == Phase.SENT && nowNanos - sentNanos >= bounds.accept()) {
                    yield moveOn("did not accept the request in time", true);
                }
                boolean silent = nowNanos - heardNanos >= bounds.silence() && nowNanos - askedNanos >= bounds.silence();
                yield silent && at != null ? askAgain(at, nowNanos) : List.of();
            }
        };
    }

    /** A worker has come, or none will any more: a request that waits for one need not wait for its next look. */
    public List<Action> lookAgain() {
        if (phase != Phase.WAITING) {
            return List.of();
        }
        phase = Phase.PLACING;
        return List.of(new Action.Place(without));
    }

    private List<Action> askAgain(WorkerId at, long nowNanos) {
        askedNanos = nowNanos;
        return List.of(new Action.Again(at, attempt, state.next(), state.promptScored()));
    }

    /** The request cannot go on, for a reason outside of the workers' messages. */
    public List<Action> fail(Failure failure) {
        if (phase == Phase.ENDED) {
            return List.of();
        }
        return apply(state.fail(failure), askedNanos);
    }

    private List<Action> apply(List<StreamState.Effect> effects, long nowNanos) {
        var actions = new ArrayList<Action>(effects.size() + 1);
        var at = worker;
        for (var effect : effects) {
            switch (effect) {
                case StreamState.Effect.Emit(var event) -> actions.add(new Action.Emit(event));
                case StreamState.Effect.CancelOutput(int index) -> {
                    if (at != null && !state.ended()) {
                        actions.add(new Action.Cancel(at, attempt, OptionalInt.of(index)));
                    }
                }
                case StreamState.Effect.AskAgain _ -> {
                    // Not with every message that comes while the answer is under way.
                    if (at != null && (!gapSeen || nowNanos - askedNanos >= bounds.silence() / GAP_ASKS_PER_SILENCE)) {
                        gapSeen = true;
                        actions.addAll(askAgain(at, nowNanos));
                    }
                }
            }
        }
        if (state.ended()) {
            if (at != null && (phase == Phase.SENT || phase == Phase.RUNNING)) {
                actions.add(new Action.Cancel(at, attempt, OptionalInt.empty()));
            }
            phase = Phase.ENDED;
        }
        return actions;
    }

    private Failure noWorker(String reason) {
        return unavailable("no worker can take requests for model %s now: %s"
                .formatted(request.model().name(), lastLoss.isEmpty() ? reason : lastLoss + "; " + reason));
    }

    private Failure gaveUp(String reason) {
        return unavailable("%s, and no other could go on with the request within %d ms: %s"
                .formatted(
                        lastLoss.isEmpty() ? "no worker has it" : lastLoss, bounds.workerWait() / 1_000_000, reason));
    }

    private static Failure unavailable(String message) {
        return Failure.retryable(FailureKind.UNAVAILABLE, message, Router.RETRY_AFTER_MILLIS);
    }
}
