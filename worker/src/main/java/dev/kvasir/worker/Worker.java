package dev.kvasir.worker;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Command;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.EngineObserver;
import dev.kvasir.worker.engine.Puller;
import dev.kvasir.worker.engine.SharedBlocks;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.StashBuffer;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.actor.typed.receptionist.Receptionist;

/**
 * The door of a worker. Loads the model, then hands requests to the engine and its events to their streams; tells subscribers
 * of its load.
 *
 * <pre>
 * loading   until the model is ready: requests are refused, questions wait
 * serving   registered with the receptionist
 * draining  unregistered: requests are refused; when the last one at hand has ended, and nobody may come any more for one
 *           whose router fell silent, it hands KV over that is worth keeping, and the actor stops
 * </pre>
 *
 * It stops with an exception when the model cannot be loaded or the engine breaks; by then all requests have failed. When a
 * router falls silent its requests stop, and wait for another to claim them.
 */
public final class Worker {
    private static final Duration REPORT_EVERY = Duration.ofMillis(50);
    private static final int STASH_MAX = 256;
    private static final long HAND_BACK_MAX_MILLIS = Duration.ofDays(1).toMillis();

    /** All that the actor hears: the public protocol, and what it tells itself. */
    sealed interface Message {}

    private record Wire(Command command) implements Message {}

    private record Loaded(LoadedModel model) implements Message {}

    private record LoadFailed(Throwable cause) implements Message {}

    private record Ended(RequestId id) implements Message {}

    private record Broken(Throwable cause) implements Message {}

    private record ReportLoad() implements Message {}

    private record LookAround() implements Message {}

    private record HandBack() implements Message {}

    private record HandedOver(int blocks) implements Message {}

    private final ActorContext<Message> context;
    private final TimerScheduler<Message> timers;
    private final ActorRef<Command> door;
    private final EngineObserver observer;
    private final StreamSettings streamSettings;
    private final Optional<Sharing> sharing;

    private Worker(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            EngineObserver observer,
            StreamSettings streamSettings,
            Optional<Sharing> sharing) {
        this.context = context;
        this.timers = timers;
        this.observer = observer;
        this.streamSettings = streamSettings;
        this.sharing = sharing;
        this.door = context.getSelf().<Object>unsafeUpcast().narrow();
    }

    /** A worker of the model that {@code loader} gives, which takes its time on a thread that may block. */
    public static Behavior<Command> create(Callable<LoadedModel> loader, EngineObserver observer) {
        return create(loader, observer, StreamSettings.defaults(), Optional.empty());
    }

    /** The same, with settings of its streams. */
    public static Behavior<Command> create(
            Callable<LoadedModel> loader, EngineObserver observer, StreamSettings settings) {
        return create(loader, observer, settings, Optional.empty());
    }

    /** The same, in a cluster whose members may share KV blocks. */
    public static Behavior<Command> create(
            Callable<LoadedModel> loader, EngineObserver observer, StreamSettings settings, Optional<Sharing> sharing) {
        Behavior<Message> behavior = Behaviors.setup(context -> Behaviors.withTimers(timers -> Behaviors.withStash(
                STASH_MAX, stash -> new Worker(context, timers, observer, settings, sharing).load(loader, stash))));
        return Behaviors.transformMessages(Command.class, behavior, builder -> builder.match(Command.class, Wire::new));
    }

    private Behavior<Message> load(Callable<LoadedModel> loader, StashBuffer<Message> stash) {
        Executor blocking = context.getSystem().dispatchers().lookup(DispatcherSelector.blocking());
        var model = CompletableFuture.supplyAsync(() -> call(loader), blocking);
        context.pipeToSelf(model, (loaded, failure) -> failure == null ? new Loaded(loaded) : new LoadFailed(failure));
        return loading(stash);
    }

    private static LoadedModel call(Callable<LoadedModel> loader) {
        try {
            return loader.call();
        } catch (Exception e) {
            throw new CompletionException(e);
        }
    }

    private Behavior<Message> loading(StashBuffer<Message> stash) {
        return Behaviors.receiveMessage(message -> switch (message) {
            case Wire(WorkerProtocol.Generate generate) -> refuse(generate, "the worker is loading its model");
            case Wire(WorkerProtocol.Cancel _) -> Behaviors.same();
            case Wire _, Ended _, Broken _, ReportLoad _, LookAround _, HandBack _, HandedOver _ ->
                keep(message, stash);
            case Loaded(var model) -> stash.unstashAll(serve(model));
            case LoadFailed(var cause) -> throw new IllegalStateException("the model cannot be loaded", cause);
        });
    }

    private static Behavior<Message> keep(Message message, StashBuffer<Message> stash) {
        if (!stash.isFull()) {
            stash.stash(message);
        }
        return Behaviors.same();
    }

    private Behavior<Message> serve(LoadedModel model) {
        var settings = model.settings();
        var plane = sharing.map(with -> new KvPlane(with, model.description(), model.runner()));
        var puller = plane.map(KvPlane::puller).orElse(Puller.NONE);
        var core = new EngineCore(
                settings,
                model.runner(),
                observer,
                plane.map(KvPlane::blocks).orElseGet(() -> new SharedBlocks(() -> {})),
                puller);
        var self = context.getSelf();
        var engine = new Engine(
                "kvasir-engine",
                core,
                model.runner(),
                observer,
                settings.submissionsMax(),
                System::nanoTime,
                cause -> self.tell(new Broken(cause)));
        plane.ifPresent(with -> with.start(context, engine));
        engine.start();
        context.getSystem().receptionist().tell(Receptionist.register(WorkerProtocol.KEY, door));
        timers.startTimerWithFixedDelay(new ReportLoad(), REPORT_EVERY);
        timers.startTimerWithFixedDelay(new LookAround(), streamSettings.lease().dividedBy(Leases.LOOKS_PER_LEASE));
        var streams = new Streams(
                settings.incarnation(),
                engine::submit,
                streamSettings,
                System.nanoTime(),
                id -> self.tell(new Ended(id)));
        var reports = new LoadReports(model.description().incarnation(), engine, puller);
        context.getLog()
                .info("serving {}; {} KV blocks", settings, model.runner().blockCount());
        return serving(new Serving(model.description(), engine, streams, reports, plane));
    }

    /** What a worker has once its model is loaded. */
    private record Serving(
            WorkerProtocol.Description description,
            Engine engine,
            Streams streams,
            LoadReports reports,
            Optional<KvPlane> plane) {}

    private Behavior<Message> serving(Serving s) {
        return Behaviors.receive(Message.class)
                .onAnyMessage(message -> switch (message) {
                    case Wire(WorkerProtocol.Generate generate) -> generate(s, generate);
                    case Wire(WorkerProtocol.Drain drain) -> drain(s, drain);
                    default -> atAnyTime(s, message);
                })
                .onSignal(Terminated.class, gone -> forget(s, gone.getRef()))
                .onSignal(PostStop.class, _ -> stop(s))
                .build();
    }

    /**
     * @param movesOn whether streams are given back at once
     * @param leaving whether KV is being handed over already
     */
    private Behavior<Message> draining(Serving s, boolean movesOn, boolean leaving) {
        return Behaviors.receive(Message.class)
                .onAnyMessage(message -> switch (message) {
                    case Wire(WorkerProtocol.Generate generate) -> refuse(generate, "the worker is draining");
                    case Wire(WorkerProtocol.Drain drain) -> {
                        handBackAfter(drain.moveAfterMillis());
                        yield Behaviors.same();
                    }
                    case Wire(WorkerProtocol.Claim claim) -> {
                        s.streams().claim(claim, System.nanoTime());
                        yield movesOn ? handBack(s, leaving) : Behaviors.same();
                    }
                    case HandBack _ -> handBack(s, leaving);
                    case Ended(var id) -> {
                        s.streams().ended(id, System.nanoTime());
                        yield leaveIfIdle(s, movesOn, leaving);
                    }
                    case LookAround _ -> {
                        s.streams().look(System.nanoTime());
                        yield leaveIfIdle(s, movesOn, leaving);
                    }
                    // A request that was claimed meanwhile goes on; its end leads here again.
                    case HandedOver _ ->
                        s.streams().inEngine() == 0 ? Behaviors.stopped() : draining(s, movesOn, false);
                    default -> atAnyTime(s, message);
                })
                .onSignal(Terminated.class, gone -> forget(s, gone.getRef()))
                .onSignal(PostStop.class, _ -> stop(s))
                .build();
    }

    private Behavior<Message> handBack(Serving s, boolean leaving) {
        s.streams().handBack("the worker is draining");
        return draining(s, true, leaving);
    }

    private Behavior<Message> atAnyTime(Serving s, Message message) {
        switch (message) {
            case Wire(WorkerProtocol.Cancel cancel) -> s.streams().cancel(cancel);
            case Wire(WorkerProtocol.Again again) -> s.streams().again(again, System.nanoTime());
            case Wire(WorkerProtocol.Find(var id, var replyTo)) ->
                replyTo.tell(s.streams().find(id));
            case Wire(WorkerProtocol.Claim claim) -> s.streams().claim(claim, System.nanoTime());
            case Wire(WorkerProtocol.Renew renew) -> renew(s, renew, System.nanoTime());
            case Wire(WorkerProtocol.Describe describe) -> describe.replyTo().tell(s.description());
            case Wire(WorkerProtocol.Subscribe subscribe) -> {
                context.watch(subscribe.replyTo());
                s.reports().subscribe(subscribe.replyTo());
            }
            case Ended(var id) -> s.streams().ended(id, System.nanoTime());
            case LookAround _ -> s.streams().look(System.nanoTime());
            case ReportLoad _ -> s.reports().reportIfDue(System.nanoTime());
            case Broken(var cause) -> throw new IllegalStateException("the engine failed", cause);
            case Wire _, Loaded _, LoadFailed _, HandBack _, HandedOver _ ->
                throw new IllegalStateException("unexpected " + message);
        }
        return Behaviors.same();
    }

    private static Behavior<Message> generate(Serving s, WorkerProtocol.Generate generate) {
        s.streams().open(generate, System.nanoTime());
        return Behaviors.same();
    }

    private void renew(Serving s, WorkerProtocol.Renew renew, long nowNanos) {
        s.streams().renewed(renew.router(), nowNanos);
        var progress = s.engine().progress(nowNanos);
        renew.replyTo()
                .tell(new WorkerProtocol.Alive(
                        s.description().incarnation(),
                        renew.sequence(),
                        progress.inStepNanos() / 1_000_000,
                        progress.stuck(streamSettings.stepTimeout().toNanos()),
                        renew.audit(),
                        renew.audit() ? s.streams().runningFor(renew.router()) : List.of()));
    }

    private Behavior<Message> drain(Serving s, WorkerProtocol.Drain drain) {
        context.getLog().info("draining; {} requests at hand", s.streams().inEngine());
        context.getSystem().receptionist().tell(Receptionist.deregister(WorkerProtocol.KEY, door));
        s.reports().drain();
        handBackAfter(drain.moveAfterMillis());
        return leaveIfIdle(s, false, false);
    }

    private void handBackAfter(long millis) {
        timers.startSingleTimer(new HandBack(), Duration.ofMillis(Math.min(millis, HAND_BACK_MAX_MILLIS)));
    }

    /** When nothing is at hand any more, nor may be: hands over KV that is worth keeping, then stops. */
    private Behavior<Message> leaveIfIdle(Serving s, boolean movesOn, boolean leaving) {
        if (leaving) {
            return Behaviors.same();
        }
        if (s.streams().inEngine() > 0 || s.streams().awaited(System.nanoTime()) > 0) {
            return draining(s, movesOn, false);
        }
        if (s.plane().isEmpty()) {
            return Behaviors.stopped();
        }
        context.pipeToSelf(
                s.plane().get().handOver(), (blocks, failure) -> new HandedOver(failure == null ? blocks : 0));
        return draining(s, movesOn, true);
    }

    private static Behavior<Message> forget(Serving s, ActorRef<Void> gone) {
        s.reports().gone(gone);
        return Behaviors.same();
    }

    private static Behavior<Message> stop(Serving s) {
        s.engine().stop();
        s.plane().ifPresent(KvPlane::close);
        return Behaviors.same();
    }

    private static Behavior<Message> refuse(WorkerProtocol.Generate generate, String why) {
        fail(generate, FailureKind.UNAVAILABLE, why, 0);
        return Behaviors.same();
    }

    private static void fail(WorkerProtocol.Generate generate, FailureKind kind, String why, long retryAfterMillis) {
        generate.replyTo()
                .tell(new Delivery.Event(
                        generate.continuation().attempt(),
                        new StreamEvent.Failed(generate.request().id(), kind, why, retryAfterMillis)));
    }
}
