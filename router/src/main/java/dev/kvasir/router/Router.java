package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.router.placement.Decision;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows the workers and gives each request to one of them. It learns of workers from the receptionist, asks each for its
 * description, refuses those that do not fit, and keeps count of their load; for each request it asks the
 * {@link Placement} and starts a {@link TokenStream}. A stream that fails by an error of ours still gets its last event
 * from here.
 */
public final class Router extends AbstractBehavior<Router.Command> {
    static final long RETRY_AFTER_MILLIS = 1000;

    public sealed interface Command {}

    /**
     * Answer a request into {@code response}.
     *
     * @param prompt names of the prompt's blocks; empty where they could not be told
     */
    record Open(ValidRequest request, HashChain prompt, ResponseStream response, Duration deadline)
            implements Command {}

    private record Listed(Receptionist.Listing listing) implements Command {}

    private record Described(
            ActorRef<WorkerProtocol.Command> worker,
            @Nullable Description description,
            @Nullable Throwable failure) implements Command {}

    private record Reported(ActorRef<WorkerProtocol.Command> worker, LoadReport report) implements Command {}

    private record Acknowledged(WorkerId worker, String requestId) implements Command {}

    /** What the router works with. */
    record Setup(
            RouterConfig config,
            Collection<ServedModel> models,
            Placement placement,
            RandomGenerator random,
            RouterMetrics metrics,
            ClusterStatus status,
            DecisionLog decisions) {}

    private record Session(
            ActorRef<WorkerProtocol.Command> worker, WorkerId workerId, String requestId, ResponseStream response) {}

    private static final Logger LOG = LoggerFactory.getLogger(Router.class);
    private static final Duration DESCRIBE_TIMEOUT = Duration.ofSeconds(3);

    private final Setup setup;
    private final Workers workers;
    private final Map<ActorRef<TokenStream.Command>, Session> sessions = new HashMap<>();

    static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> new Router(setup, context));
    }

    private Router(Setup setup, ActorContext<Command> context) {
        super(context);
        this.setup = setup;
        this.workers = new Workers(setup.models(), setup.status(), _ -> null);
        var listings = context.messageAdapter(Receptionist.Listing.class, Listed::new);
        context.getSystem().receptionist().tell(Receptionist.subscribe(WorkerProtocol.KEY, listings));
    }

    @Override
    public Receive<Command> createReceive() {
        return newReceiveBuilder()
                .onAnyMessage(this::onCommand)
                .onSignal(Terminated.class, this::sessionEnded)
                .build();
    }

    private Behavior<Command> onCommand(Command command) {
        switch (command) {
            case Open open -> open(open);
            case Listed(var listing) -> listed(listing);
            case Described described -> described(described);
            case Reported(var worker, var report) -> workers.reported(worker, report);
            case Acknowledged(var worker, var requestId) ->
                workers.state().ledger().acknowledged(worker, requestId);
        }
        return this;
    }

    private void open(Open open) {
        var request = open.request();
        var response = open.response();
        var query = query(request, open.prompt());
        long now = System.nanoTime();
        var decision = setup.placement().place(workers.state().view(query, now), query, setup.random());
        LOG.debug("Request {} ({}): {}", request.generation().id(), request.userRequestId(), decision);
        setup.decisions().add(request.generation().id().value(), query, decision, System.currentTimeMillis());
        var chosen = decision.chosen().orElse(null);
        var worker = chosen == null ? null : workers.ref(chosen);
        if (chosen == null || worker == null) {
            response.publish(new OutputEvent.Failed(noWorker(request, decision)));
            return;
        }
        var requestId = request.generation().id().value();
        workers.state().dispatched(chosen, requestId, query, decision, now);
        var self = getContext().getSelf();
        var task = new TokenStream.Task(
                request,
                response,
                worker,
                chosen.toString(),
                open.deadline(),
                () -> self.tell(new Acknowledged(chosen, requestId)));
        var stream =
                getContext().spawn(TokenStream.create(task, setup.config(), setup.metrics()), "stream-" + requestId);
        sessions.put(stream, new Session(worker, chosen, requestId, response));
        getContext().watch(stream);
    }

    private static Query query(ValidRequest request, HashChain chain) {
        var generation = request.generation();
        int output = generation.sampling().maxTokens();
        int prompt = generation.prompt().length;
        return new Query(
                generation.model(),
                prompt,
                (long) output * generation.sampling().n(),
                prompt + output,
                chain);
    }

    private static Failure noWorker(ValidRequest request, Decision decision) {
        return Failure.retryable(
                FailureKind.UNAVAILABLE,
                "no worker can take requests for model %s now: %s"
                        .formatted(request.model().name(), decision.reason()),
                RETRY_AFTER_MILLIS);
    }

    private Behavior<Command> sessionEnded(Terminated ended) {
        // Typed by path and uid alone, so the map's key type does not matter.
        var session = sessions.remove(ended.getRef().<TokenStream.Command>unsafeUpcast());
        if (session != null) {
            workers.state().ended(session.requestId());
            session.response()
                    .publish(new OutputEvent.Failed(
                            Failure.of(FailureKind.INTERNAL, "the token stream of this request failed")));
        }
        return this;
    }

    private void listed(Receptionist.Listing listing) {
        var all = listing.getAllServiceInstances(WorkerProtocol.KEY);
        var reachable = listing.getServiceInstances(WorkerProtocol.KEY);
        // One that has only deregistered is draining: its streams go on. One that is dead, they see for themselves.
        workers.keepOnly(all);
        for (var worker : workers.unreachable(reachable)) {
            lost(worker);
        }
        reachable.stream().filter(workers::isNew).forEach(this::describe);
        workers.publish();
    }

    private void lost(ActorRef<WorkerProtocol.Command> worker) {
        sessions.forEach((stream, session) -> {
            if (session.worker().equals(worker)) {
                stream.tell(new TokenStream.WorkerLost());
            }
        });
    }

    private void describe(ActorRef<WorkerProtocol.Command> worker) {
        workers.asked(worker);
        getContext()
                .ask(
                        Description.class,
                        worker,
                        DESCRIBE_TIMEOUT,
                        WorkerProtocol.Describe::new,
                        (description, failure) -> new Described(worker, description, failure));
    }

    private void described(Described answer) {
        var worker = answer.worker();
        if (!workers.isKnown(worker)) {
            return;
        }
        if (answer.description() == null) {
            LOG.warn("Worker {} did not describe itself, asking again: {}", worker.path(), answer.failure());
            describe(worker);
            return;
        }
        var self = getContext().getSelf();
        ActorRef<LoadReport> loads = getContext().spawnAnonymous(Behaviors.receiveMessage(report -> {
            self.tell(new Reported(worker, report));
            return Behaviors.same();
        }));
        workers.described(worker, answer.description(), () -> getContext().stop(loads));
        worker.tell(new WorkerProtocol.Subscribe(loads));
        workers.publish();
    }
}
