package dev.kvasir.router;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.StreamOrigin;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Failed;
import dev.kvasir.router.Session.Action;
import dev.kvasir.router.placement.WorkerId;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client request: applies what {@link Session} decides about each message, and stops when the answer has ended, whoever
 * ended it: worker, client, deadline or a reader too slow. However it stops, the response has its last event and no worker
 * does anything more for it.
 */
final class TokenStream extends AbstractBehavior<TokenStream.Command> {
    sealed interface Command {}

    private record FromWorker(Delivery delivery) implements Command {}

    /** The client is gone or wants no more. */
    record Cancel() implements Command {}

    /** The router has chosen a worker. */
    record Placed(WorkerId worker, ActorRef<WorkerProtocol.Command> ref, List<KvSource> sources) implements Command {}

    /** There is none to be chosen. */
    record NotPlaced(String reason, Session.Prospect prospect) implements Command {}

    /** There may be one now, or there will be none. */
    record LookAgain() implements Command {}

    /** A worker is silent, stuck or cannot be reached. */
    record WorkerLost(WorkerId worker, String how) implements Command {}

    private record DeadlineReached() implements Command {}

    private record Tick() implements Command {}

    private record CheckReader() implements Command {}

    /** The side of the router that a stream sees. */
    interface Placer {
        /** Answered with {@link Placed} or {@link NotPlaced}. */
        void place(ActorRef<Command> stream, Set<WorkerId> without, int tokensSoFar);

        /** The worker has the request: its next report includes it. */
        void acknowledged(WorkerId worker);
    }

    /** A stream to be taken over. */
    record Held(WorkerId worker, ActorRef<WorkerProtocol.Command> ref) {}

    /**
     * What a stream works with.
     *
     * @param deadline from now
     * @param routerId life of this router
     */
    record Task(
            ValidRequest request,
            ResponseStream response,
            Session session,
            Duration deadline,
            String routerId,
            Placer placer) {}

    private static final Logger LOG = LoggerFactory.getLogger(TokenStream.class);
    private static final long CHECKS_PER_TIMEOUT = 4;

    private final Task task;
    private final RouterConfig config;
    private final StreamMeter meter;
    private final Session session;
    private final ActorRef<Delivery> replies;
    private List<KvSource> sources = List.of();
    private final Map<WorkerId, ActorRef<WorkerProtocol.Command>> workers = new HashMap<>();
    private final long deadlineNanos;

    /** A request to be placed. */
    static Behavior<Command> create(Task task, RouterConfig config, RouterMetrics metrics, Duration tick) {
        return create(task, config, metrics, tick, null);
    }

    /** @param held where a stream is to be taken over from; null for one that is to be placed */
    static Behavior<Command> create(
            Task task, RouterConfig config, RouterMetrics metrics, Duration tick, @Nullable Held held) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(new Tick(), tick);
            var stream = new TokenStream(task, config, metrics, context, timers);
            stream.begin(held);
            return stream;
        }));
    }

    private TokenStream(
            Task task,
            RouterConfig config,
            RouterMetrics metrics,
            ActorContext<Command> context,
            TimerScheduler<Command> timers) {
        super(context);
        this.task = task;
        this.config = config;
        this.session = task.session();
        this.meter = new StreamMeter(task.request(), metrics);
        this.deadlineNanos = System.nanoTime() + task.deadline().toNanos();
        this.replies = context.messageAdapter(Delivery.class, FromWorker::new);
        timers.startSingleTimer(new DeadlineReached(), task.deadline());
        timers.startTimerWithFixedDelay(
                new CheckReader(), config.slowReaderTimeout().dividedBy(CHECKS_PER_TIMEOUT));
    }

    private void begin(@Nullable Held held) {
        if (held == null) {
            apply(session.start());
        } else {
            met(held.worker(), held.ref());
            apply(session.claim(held.worker(), System.nanoTime()));
        }
        var self = getContext().getSelf();
        task.response().onCancel(() -> self.tell(new Cancel()));
    }

    private void met(WorkerId worker, ActorRef<WorkerProtocol.Command> ref) {
        if (workers.put(worker, ref) == null) {
            getContext().watch(ref);
        }
    }

    @Override
    public Receive<Command> createReceive() {
        return newReceiveBuilder()
                .onAnyMessage(this::onCommand)
                .onSignal(Terminated.class, gone -> stopped(gone.getRef()))
                .onSignal(PostStop.class, _ -> ended())
                .build();
    }

    private Behavior<Command> onCommand(Command command) {
        long now = System.nanoTime();
        return switch (command) {
            case FromWorker(var delivery) -> fromWorker(delivery, now);
            case Placed(var worker, var ref, var from) -> {
                sources = from;
                met(worker, ref);
                yield after(session.placed(worker, now));
            }
            case NotPlaced(var reason, var prospect) -> after(session.notPlaced(reason, prospect, now));
            case LookAgain _ -> after(session.lookAgain());
            case WorkerLost(var worker, var how) -> after(session.lost(worker, how));
            case Tick _ -> after(session.tick(now));
            case Cancel _ -> after(session.fail(Failure.of(FailureKind.CANCELLED, "the request was cancelled")));
            case DeadlineReached _ -> after(session.fail(deadlineReached()));
            case CheckReader _ -> checkReader();
        };
    }

    private Behavior<Command> fromWorker(Delivery delivery, long now) {
        var worker = session.worker();
        if (worker != null
                && delivery instanceof Delivery.Event event
                && event.event() instanceof StreamEvent.Accepted) {
            task.placer().acknowledged(worker);
        }
        apply(session.received(delivery, now));
        if (!session.ended() && task.response().waitingTokens() > config.bufferedTokensMax()) {
            return cut("%d tokens wait to be read (at most %d)"
                    .formatted(task.response().waitingTokens(), config.bufferedTokensMax()));
        }
        return next();
    }

    /** A worker's actor has stopped, or its member was removed from the cluster. */
    private Behavior<Command> stopped(ActorRef<Void> gone) {
        for (var entry : Map.copyOf(workers).entrySet()) {
            if (entry.getValue().equals(gone.<WorkerProtocol.Command>unsafeUpcast())) {
                workers.remove(entry.getKey());
                apply(session.lost(entry.getKey(), "stopped"));
            }
        }
        return next();
    }

    private Behavior<Command> checkReader() {
        var waiting = task.response().waitingFor();
        return waiting.compareTo(config.slowReaderTimeout()) < 0
                ? this
                : cut("nothing was read for %d ms".formatted(waiting.toMillis()));
    }

    private Behavior<Command> cut(String why) {
        var failure = Failure.of(FailureKind.CANCELLED, "the response was read too slowly: " + why);
        task.response().cut(failure);
        return after(session.fail(failure));
    }

    private Behavior<Command> after(List<Action> actions) {
        apply(actions);
        return next();
    }

    private Behavior<Command> next() {
        return session.ended() ? Behaviors.stopped() : this;
    }

    private void apply(List<Action> actions) {
        for (var action : actions) {
            switch (action) {
                case Action.Emit(var event) -> emit(event);
                case Action.Place(var without) ->
                    task.placer().place(getContext().getSelf(), without, session.tokenCount());
                case Action.Generate(var worker, var continuation) -> {
                    if (session.placements() > 1) {
                        LOG.info(
                                "Request {} goes on at {} after {} tokens (attempt {})",
                                task.request().generation().id(),
                                worker,
                                session.tokenCount(),
                                continuation.attempt());
                    }
                    tell(
                            worker,
                            new WorkerProtocol.Generate(
                                    task.request().generation(),
                                    continuation,
                                    origin().toBytes(),
                                    task.routerId(),
                                    millisLeft(),
                                    replies,
                                    sources));
                }
                case Action.Claim(var worker, long attempt) ->
                    tell(worker, new WorkerProtocol.Claim(id(), attempt, task.routerId(), millisLeft(), replies));
                case Action.Again(var worker, long attempt, var next, boolean promptScored) ->
                    tell(worker, new WorkerProtocol.Again(id(), attempt, next, promptScored, replies));
                case Action.Cancel(var worker, long attempt, var output) ->
                    tell(worker, new WorkerProtocol.Cancel(id(), attempt, output));
            }
        }
    }

    private RequestId id() {
        return task.request().generation().id();
    }

    private StreamOrigin origin() {
        return task.request().origin();
    }

    private long millisLeft() {
        return Math.max(1, (deadlineNanos - System.nanoTime()) / 1_000_000);
    }

    private void tell(WorkerId worker, WorkerProtocol.Command command) {
        var ref = workers.get(worker);
        if (ref != null) {
            ref.tell(command);
        }
    }

    private void emit(OutputEvent event) {
        switch (event) {
            case OutputEvent.Started _, OutputEvent.Replayed _ -> {}
            case Delta delta -> meter.delta(delta);
            case Completed(var usage) -> meter.completed(usage);
            case Failed(var failure) -> meter.failed(failure.kind());
        }
        task.response().publish(event);
    }

    private Behavior<Command> ended() {
        apply(session.fail(
                Failure.retryable(FailureKind.UNAVAILABLE, "this router is stopping", Router.RETRY_AFTER_MILLIS)));
        meter.closed();
        return this;
    }

    private Failure deadlineReached() {
        return Failure.of(
                FailureKind.DEADLINE_EXCEEDED,
                "the request was not done within %d ms"
                        .formatted(task.deadline().toMillis()));
    }
}
