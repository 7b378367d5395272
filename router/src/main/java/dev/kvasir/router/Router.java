package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.WorkerId;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
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
 * Knows the workers and gives each request to one of them, as often as it takes. It learns of workers from the receptionist,
 * asks each for its description, refuses those that do not fit, and keeps count of their load; for each request it starts a
 * {@link TokenStream} and asks the {@link Placement} where it goes. Workers and routers hold leases of each other: a worker
 * that does not answer for the length of a lease, or whose engine is stuck, gets nothing more and loses its streams to
 * others, long before the cluster decides about its membership. A stream that fails by an error of ours still gets its last
 * event from here.
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

    /**
     * Go on with an answer whose stream broke off.
     *
     * @param tenant whose request it has to be; empty for anybody's
     * @param onClose run once, when the door is done with the response
     * @param answer the response, or why there is none
     */
    record Resume(
            RequestId requestId,
            Optional<String> tenant,
            ResumePoint received,
            Duration deadline,
            Runnable onClose,
            CompletableFuture<ResponseStream> answer)
            implements Command {
        boolean mayGoOnWith(Findings.Finding found) {
            return tenant.isEmpty()
                    || tenant.get().equals(found.knowledge().request().tenant().name());
        }
    }

    private record Located(Resume resume, Optional<Findings.Finding> found) implements Command {}

    /** Choose a worker for a stream that has none. */
    private record Place(ActorRef<TokenStream.Command> stream, Set<WorkerId> without, int tokensSoFar)
            implements Command {}

    private record Listed(Receptionist.Listing listing) implements Command {}

    /** @param description null where none came in time */
    private record Described(
            ActorRef<WorkerProtocol.Command> worker,
            @Nullable Description description) implements Command {}

    private record DescribeAgain(ActorRef<WorkerProtocol.Command> worker) implements Command {}

    private record Reported(ActorRef<WorkerProtocol.Command> worker, LoadReport report) implements Command {}

    private record IndexUpdated(Update update) implements Command {}

    private record FollowIndex() implements Command {}

    private record Acknowledged(WorkerId worker, String requestId) implements Command {}

    private record Heard(Alive alive) implements Command {}

    private record Gone(ActorRef<WorkerProtocol.Command> worker) implements Command {}

    private record LookAround() implements Command {}

    /** The process of this router ends soon, because its own worker has stopped. */
    record Ends() implements Command {}

    /** What the router works with. */
    record Setup(
            String routerId,
            RouterConfig config,
            MigrationConfig migration,
            Collection<ServedModel> models,
            Placement placement,
            RandomGenerator random,
            RouterMetrics metrics,
            ClusterStatus status,
            DecisionLog decisions,
            Members members,
            Optional<SharedIndex> index) {}

    private static final Logger LOG = LoggerFactory.getLogger(Router.class);
    private static final Duration DESCRIBE_TIMEOUT = Duration.ofSeconds(3);
    private static final Duration DESCRIBE_AGAIN = Duration.ofSeconds(1);
    private static final Duration FOLLOW_EVERY = Duration.ofSeconds(1);

    private final Setup setup;
    private final Workers<ActorRef<WorkerProtocol.Command>> workers;
    private final Oversight<ActorRef<WorkerProtocol.Command>, ActorRef<TokenStream.Command>> oversight;
    private final Quorum quorum;
    private final OpenStreams streams;
    private final Map<ActorRef<WorkerProtocol.Command>, ActorRef<LoadReport>> loads = new HashMap<>();
    private String isolation = "";
    private final ActorRef<Alive> signsOfLife;
    private final @Nullable IndexFollower index;
    private final ActorRef<Update> updates;

    static Behavior<Command> create(Setup setup) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(
                    new LookAround(), setup.migration().lease().dividedBy(Leases.LOOKS_PER_LEASE));
            return new Router(setup, context);
        }));
    }

    private Router(Setup setup, ActorContext<Command> context) {
        super(context);
        this.setup = setup;
        this.updates = context.messageAdapter(Update.class, IndexUpdated::new);
        var followed = setup.index()
                .map(shared -> new IndexFollower(shared.shards(), shared.shardsPerPool(), shared.blocksMax()))
                .orElse(null);
        this.index = followed;
        this.workers = Workers.of(
                setup.models(),
                setup.status(),
                query -> followed == null ? null : followed.prefixes(query.model(), query.prompt()));
        if (followed != null) {
            context.scheduleOnce(FOLLOW_EVERY, context.getSelf(), new FollowIndex());
        }
        this.oversight = new Oversight<>(workers, setup.migration().lease().toNanos(), System.nanoTime());
        this.streams = new OpenStreams(setup, context, workers, oversight);
        this.quorum = new Quorum(setup.config().minorityTimeout().toNanos());
        this.signsOfLife = context.messageAdapter(Alive.class, Heard::new);
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
            case Resume resume -> find(resume);
            case Located(var resume, var found) -> resume(resume, found);
            case Place(var stream, var without, int tokensSoFar) -> streams.place(stream, without, tokensSoFar, index);
            case Listed(var listing) -> listed(listing);
            case Described described -> described(described);
            case DescribeAgain(var worker) -> {
                if (workers.isKnown(worker)) {
                    describe(worker);
                }
            }
            case Reported(var worker, var report) -> workers.reported(worker, report);
            case IndexUpdated(var update) -> indexUpdated(update);
            case FollowIndex _ -> followIndex();
            case Acknowledged(var worker, var requestId) ->
                workers.state().ledger().acknowledged(worker, requestId);
            case Heard(var alive) -> apply(oversight.heard(alive, System.nanoTime()));
            case Gone(var worker) -> oversight.gone(worker);
            case LookAround _ -> lookAround();
            case Ends _ -> streams.end();
        }
        return this;
    }

    private void indexUpdated(Update update) {
        if (index != null) {
            index.updated(update, updates, System.nanoTime());
        }
    }

    private void followIndex() {
        if (index != null) {
            index.serve(workers.serving(), updates, System.nanoTime());
            index.followAll(updates, System.nanoTime());
            getContext().scheduleOnce(FOLLOW_EVERY, getContext().getSelf(), new FollowIndex());
        }
    }

    private void open(Open open) {
        streams.begin(open.request(), open.prompt(), open.response(), open.deadline(), placer(open.request()));
    }

    private void find(Resume resume) {
        var self = getContext().getSelf();
        getContext()
                .spawnAnonymous(Finder.create(
                        resume.requestId(),
                        oversight.heard(),
                        setup.migration().findTimeout(),
                        found -> self.tell(new Located(resume, found))));
    }

    private void resume(Resume resume, Optional<Findings.Finding> found) {
        try {
            var finding = found.filter(resume::mayGoOnWith)
                    .orElseThrow(() -> new RequestFailedException(Failure.of(
                            FailureKind.NOT_FOUND,
                            "request %s is not known to any worker: it never began, or ended too long ago"
                                    .formatted(resume.requestId()))));
            var request = streams.request(finding);
            var response = new ResponseStream(request, resume.onClose());
            streams.takeOver(finding, request, resume.received(), response, resume.deadline(), placer(request));
            resume.answer().complete(response);
        } catch (RuntimeException e) {
            resume.answer().completeExceptionally(e);
        }
    }

    private TokenStream.Placer placer(ValidRequest request) {
        var self = getContext().getSelf();
        var requestId = request.generation().id().value();
        return new TokenStream.Placer() {
            @Override
            public void place(ActorRef<TokenStream.Command> stream, Set<WorkerId> without, int tokensSoFar) {
                self.tell(new Place(stream, without, tokensSoFar));
            }

            @Override
            public void acknowledged(WorkerId worker) {
                self.tell(new Acknowledged(worker, requestId));
            }
        };
    }

    private void lookAround() {
        long now = System.nanoTime();
        apply(oversight.look(now));
        var refusal = quorum.refusal(setup.members().now(), now);
        if (!refusal.equals(isolation)) {
            isolation = refusal;
            LOG.warn("{}", refusal.isEmpty() ? "This router reaches a majority again" : "No new requests: " + refusal);
            setup.status().isolated(refusal);
        }
    }

    private void apply(
            List<Oversight.Action<ActorRef<WorkerProtocol.Command>, ActorRef<TokenStream.Command>>> actions) {
        for (var action : actions) {
            switch (action) {
                case Oversight.Action.Renew(var worker, long sequence, boolean audit) -> {
                    worker.tell(new WorkerProtocol.Renew(setup.routerId(), sequence, audit, signsOfLife));
                    if (audit) {
                        subscribe(worker);
                    }
                }
                case Oversight.Action.Describe(var worker) -> describe(worker);
                case Oversight.Action.End(var worker, var requestId, long attempt) -> {
                    LOG.info(
                            "Worker {} runs request {} for nobody",
                            worker.path().address(),
                            requestId);
                    worker.tell(new WorkerProtocol.Cancel(requestId, attempt, OptionalInt.empty()));
                }
                case Oversight.Action.Lost(var stream, var worker, var how) ->
                    stream.tell(new TokenStream.WorkerLost(worker, how));
            }
        }
    }

    private Behavior<Command> sessionEnded(Terminated ended) {
        // Typed by path and uid alone, so the type of the key does not matter.
        streams.ended(ended.getRef().unsafeUpcast());
        return this;
    }

    private void listed(Receptionist.Listing listing) {
        apply(oversight.listed(
                listing.getAllServiceInstances(WorkerProtocol.KEY), listing.getServiceInstances(WorkerProtocol.KEY)));
    }

    private void describe(ActorRef<WorkerProtocol.Command> worker) {
        getContext()
                .ask(
                        Description.class,
                        worker,
                        DESCRIBE_TIMEOUT,
                        WorkerProtocol.Describe::new,
                        (description, _) -> new Described(worker, description));
    }

    private void described(Described answer) {
        var worker = answer.worker();
        if (!workers.isKnown(worker)) {
            return;
        }
        if (answer.description() == null) {
            // Ordinary for one that has just ended and is still listed.
            LOG.info(
                    "Worker {} has not described itself, asking again",
                    worker.path().address());
            getContext().scheduleOnce(DESCRIBE_AGAIN, getContext().getSelf(), new DescribeAgain(worker));
            return;
        }
        var self = getContext().getSelf();
        var earlier = loads.put(worker, getContext().spawnAnonymous(Behaviors.receiveMessage(report -> {
            self.tell(new Reported(worker, report));
            return Behaviors.same();
        })));
        if (earlier != null) {
            getContext().stop(earlier);
        }
        oversight.described(worker, answer.description(), () -> unsubscribe(worker), System.nanoTime());
        getContext().watchWith(worker, new Gone(worker));
        if (index != null) {
            index.serve(workers.serving(), updates, System.nanoTime());
        }
        subscribe(worker);
        streams.lookAgain();
    }

    private void subscribe(ActorRef<WorkerProtocol.Command> worker) {
        var reports = loads.get(worker);
        if (reports != null) {
            worker.tell(new WorkerProtocol.Subscribe(reports));
        }
    }

    private void unsubscribe(ActorRef<WorkerProtocol.Command> worker) {
        var reports = loads.remove(worker);
        if (reports != null) {
            getContext().stop(reports);
        }
    }
}
