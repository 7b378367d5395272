package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Failed;
import dev.kvasir.router.StreamState.Effect;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;

/**
 * One client request: sends it to the worker that was chosen, applies what {@link StreamState} decides about each
 * message, and stops when the answer has ended, whoever ended it: worker, client, deadline or a reader too slow. However
 * it stops, the response has its last event and the worker does nothing more for it.
 */
final class TokenStream extends AbstractBehavior<TokenStream.Command> {
    sealed interface Command {}

    private record FromWorker(StreamEvent event) implements Command {}

    /** The client is gone or wants no more. */
    record Cancel() implements Command {}

    /** The worker cannot be reached any more. */
    record WorkerLost() implements Command {}

    private record DeadlineReached() implements Command {}

    private record NotAccepted() implements Command {}

    private record CheckReader() implements Command {}

    /** What a stream works with; {@code deadline} is from now. */
    record Task(
            ValidRequest request,
            ResponseStream response,
            ActorRef<WorkerProtocol.Command> worker,
            String workerName,
            Duration deadline,
            Runnable onAccepted) {}

    private static final long CHECKS_PER_TIMEOUT = 4;

    private final Task task;
    private final RouterConfig config;
    private final StreamMeter meter;
    private final StreamState state;
    private final TimerScheduler<Command> timers;
    private boolean workerDone;

    static Behavior<Command> create(Task task, RouterConfig config, RouterMetrics metrics) {
        return Behaviors.setup(
                context -> Behaviors.withTimers(timers -> new TokenStream(task, config, metrics, context, timers)));
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
        this.timers = timers;
        this.state = new StreamState(task.request());
        this.meter = new StreamMeter(task.request(), metrics);
        context.watch(task.worker());
        timers.startSingleTimer(new DeadlineReached(), task.deadline());
        timers.startSingleTimer(new NotAccepted(), config.acceptTimeout());
        timers.startTimerWithFixedDelay(
                new CheckReader(), config.slowReaderTimeout().dividedBy(CHECKS_PER_TIMEOUT));
        var replies = context.messageAdapter(StreamEvent.class, FromWorker::new);
        task.worker()
                .tell(new WorkerProtocol.Generate(
                        task.request().generation(), task.deadline().toMillis(), replies));
        var self = context.getSelf();
        task.response().onCancel(() -> self.tell(new Cancel()));
    }

    @Override
    public Receive<Command> createReceive() {
        return newReceiveBuilder()
                .onAnyMessage(this::onCommand)
                .onSignal(Terminated.class, _ -> fail(lost("stopped")))
                .onSignal(PostStop.class, _ -> stopped())
                .build();
    }

    private Behavior<Command> onCommand(Command command) {
        return switch (command) {
            case FromWorker(var event) -> fromWorker(event);
            case Cancel _ -> fail(Failure.of(FailureKind.CANCELLED, "the request was cancelled"));
            case WorkerLost _ -> fail(lost("cannot be reached"));
            case DeadlineReached _ -> fail(deadlineReached());
            case NotAccepted _ ->
                fail(unavailable("worker %s did not accept the request within %d ms"
                        .formatted(task.workerName(), config.acceptTimeout().toMillis())));
            case CheckReader _ -> checkReader();
        };
    }

    private Behavior<Command> fromWorker(StreamEvent event) {
        timers.cancel(new NotAccepted());
        if (event instanceof StreamEvent.Accepted) {
            task.onAccepted().run();
        }
        workerDone = event instanceof StreamEvent.Failed;
        apply(state.accept(event));
        if (!state.ended() && task.response().waitingTokens() > config.bufferedTokensMax()) {
            return cut("%d tokens wait to be read (at most %d)"
                    .formatted(task.response().waitingTokens(), config.bufferedTokensMax()));
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
        return fail(failure);
    }

    private Behavior<Command> fail(Failure failure) {
        apply(state.fail(failure));
        return next();
    }

    private Behavior<Command> next() {
        return state.ended() ? Behaviors.stopped() : this;
    }

    private void apply(List<Effect> effects) {
        for (var effect : effects) {
            switch (effect) {
                case Effect.Emit(var event) -> emit(event);
                case Effect.CancelOutput(int index) -> cancelAtWorker(OptionalInt.of(index));
            }
        }
    }

    private void emit(OutputEvent event) {
        switch (event) {
            case OutputEvent.Started _ -> {}
            case Delta delta -> meter.delta(delta);
            case Completed(var usage) -> {
                workerDone = true;
                meter.completed(usage);
            }
            case Failed(var failure) -> meter.failed(failure.kind());
        }
        task.response().publish(event);
    }

    private Behavior<Command> stopped() {
        if (!workerDone) {
            cancelAtWorker(OptionalInt.empty());
        }
        apply(state.fail(unavailable("this router is stopping")));
        meter.closed();
        return this;
    }

    private void cancelAtWorker(OptionalInt output) {
        task.worker().tell(new WorkerProtocol.Cancel(task.request().generation().id(), output));
    }

    private Failure deadlineReached() {
        return Failure.of(
                FailureKind.DEADLINE_EXCEEDED,
                "the request was not done within %d ms"
                        .formatted(task.deadline().toMillis()));
    }

    private Failure lost(String how) {
        return unavailable("worker %s, which worked on the request, %s".formatted(task.workerName(), how));
    }

    private static Failure unavailable(String message) {
        return Failure.retryable(FailureKind.UNAVAILABLE, message, Router.RETRY_AFTER_MILLIS);
    }
}
