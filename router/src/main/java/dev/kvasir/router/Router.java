package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamOrigin;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.router.placement.ClusterView;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Query;
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
import java.util.stream.Collectors;
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
     * @param onClose run once, when the door is done with the response
     * @param answer the response, or why there is none
     */
    record Resume(
            RequestId requestId,
            ResumePoint received,
            Duration deadline,
            Runnable onClose,
            CompletableFuture<ResponseStream> answer)
            implements Command {}

    private record Located(Resume resume, Optional<Findings.Finding> found) implements Command {}

    /** Choose a worker for a stream that has none. */
    private record Place(ActorRef<TokenStream.Command> stream, Set<WorkerId> without, int tokensSoFar)
            implements Command {}

    private record Listed(Receptionist.Listing listing) implements Command {}

    private record Described(
            ActorRef<WorkerProtocol.Command> worker,
            @Nullable Description description,
            @Nullable Throwable failure) implements Command {}

    private record Reported(ActorRef<WorkerProtocol.Command> worker, LoadReport report) implements Command {}

    private record IndexUpdated(Update update) implements Command {}

    private record FollowIndex() implements Command {}

    private record Acknowledged(WorkerId worker, String requestId) implements Command {}

    private record Heard(Alive alive) implements Command {}

    private record LookAround() implements Command {}

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
            Optional<SharedIndex> index) {}

    /** A stream, and the worker that its request was last given to. */
    private static final class OpenStream {
        private final ValidRequest request;
        private final HashChain prompt;
        private final ResponseStream response;
        private @Nullable WorkerId worker;
        private @Nullable ActorRef<WorkerProtocol.Command> ref;

        OpenStream(ValidRequest request, HashChain prompt, ResponseStream response) {
            this.request = request;
            this.prompt = prompt;
            this.response = response;
        }

        String requestId() {
            return request.generation().id().value();
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(Router.class);
    private static final Duration DESCRIBE_TIMEOUT = Duration.ofSeconds(3);
    private static final int LOOKS_PER_AUDIT = 8;
    private static final Duration FOLLOW_EVERY = Duration.ofSeconds(1);

    private final Setup setup;
    private final Workers workers;
    private final Leases<WorkerId> leases;
    private final Map<ActorRef<TokenStream.Command>, OpenStream> streams = new HashMap<>();
    private final ActorRef<Alive> signsOfLife;
    private final @Nullable IndexFollower index;
    private final ActorRef<Update> updates;
    private long looks;
    private long resumptions;

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
        this.workers = new Workers(
                setup.models(),
                setup.status(),
                query -> followed == null ? null : followed.replica(query.model(), query.prompt()));
        if (followed != null) {
            context.scheduleOnce(FOLLOW_EVERY, context.getSelf(), new FollowIndex());
        }
        this.leases = new Leases<>(setup.migration().lease().toNanos(), System.nanoTime());
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
            case Place(var stream, var without, int tokensSoFar) -> place(stream, without, tokensSoFar);
            case Listed(var listing) -> listed(listing);
            case Described described -> described(described);
            case Reported(var worker, var report) -> workers.reported(worker, report);
            case IndexUpdated(var update) -> indexUpdated(update);
            case FollowIndex _ -> followIndex();
            case Acknowledged(var worker, var requestId) ->
                workers.state().ledger().acknowledged(worker, requestId);
            case Heard(var alive) -> heard(alive);
            case LookAround _ -> lookAround();
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
            index.followAll(updates, System.nanoTime());
            getContext().scheduleOnce(FOLLOW_EVERY, getContext().getSelf(), new FollowIndex());
        }
    }

    /** Members that the chosen worker could pull blocks of the prompt from. */
    private List<KvSource> sources(Query query, WorkerId chosen) {
        return index == null
                ? List.of()
                : index.sources(query.model(), query.prompt(), chosen.address(), chosen.incarnation());
    }

    private void open(Open open) {
        var request = open.request();
        var session = Session.begin(request, bounds());
        var task = new TokenStream.Task(
                request, open.response(), session, open.deadline(), setup.routerId(), placer(request));
        var stream = getContext()
                .spawn(
                        TokenStream.create(task, setup.config(), setup.metrics(), tick()),
                        "stream-" + request.generation().id());
        opened(stream, new OpenStream(request, open.prompt(), open.response()));
    }

    /** Workers that are silent are not asked: what they know, they are about to lose. */
    private void find(Resume resume) {
        var heard = met();
        heard.keySet().removeIf(worker -> !leases.holds(worker));
        var self = getContext().getSelf();
        getContext()
                .spawnAnonymous(Finder.create(
                        resume.requestId(),
                        heard,
                        setup.migration().findTimeout(),
                        found -> self.tell(new Located(resume, found))));
    }

    private void resume(Resume resume, Optional<Findings.Finding> found) {
        try {
            var finding = found.orElseThrow(() -> new RequestFailedException(Failure.of(
                    FailureKind.NOT_FOUND,
                    "request %s is not known to any worker: it never began, or ended too long ago"
                            .formatted(resume.requestId()))));
            resume.answer().complete(resume(resume, finding));
        } catch (RuntimeException e) {
            resume.answer().completeExceptionally(e);
        }
    }

    private ResponseStream resume(Resume resume, Findings.Finding finding) {
        var known = finding.knowledge();
        var model = setup.models().stream()
                .filter(candidate -> candidate.name().equals(known.request().model()))
                .findFirst()
                .orElseThrow(() -> new RequestFailedException(Failure.of(
                        FailureKind.NOT_FOUND,
                        "this router does not serve model " + known.request().model())));
        var request = ValidRequest.of(known.request(), model, StreamOrigin.of(known.origin()), System.nanoTime());
        var response = new ResponseStream(request, resume.onClose());
        var worker = finding.worker();
        var ref = met().get(worker);
        if (!known.complete() && ref != null) {
            fence(ref, known);
        }
        // What cannot be told again is generated again: the same tokens, for the seed is part of the request.
        boolean again = !known.complete() || ref == null;
        long attempt = again ? Attempt.resumed(known.attempt()) : known.attempt();
        var session = Session.resume(request, resume.received(), bounds(), attempt);
        var task =
                new TokenStream.Task(request, response, session, resume.deadline(), setup.routerId(), placer(request));
        var held = again || ref == null ? null : new TokenStream.Held(worker, ref);
        var opened = new OpenStream(request, PromptHashes.of(request, setup.status()), response);
        opened.worker = held == null ? null : worker;
        opened.ref = held == null ? null : ref;
        var stream = getContext()
                .spawn(
                        TokenStream.create(task, setup.config(), setup.metrics(), tick(), held),
                        "stream-%s-%d".formatted(resume.requestId(), ++resumptions));
        opened(stream, opened);
        LOG.info("Request {} is resumed from {}", resume.requestId(), worker);
        return response;
    }

    /** Ends what runs of a request at a worker, and the stream that hears of it. */
    private void fence(ActorRef<WorkerProtocol.Command> worker, WorkerProtocol.Knowledge known) {
        long attempt = Attempt.resumed(known.attempt());
        var id = known.request().id();
        worker.tell(new WorkerProtocol.Claim(
                id, attempt, setup.routerId(), 0, getContext().getSystem().ignoreRef()));
        worker.tell(new WorkerProtocol.Cancel(id, attempt, OptionalInt.empty()));
    }

    private void opened(ActorRef<TokenStream.Command> stream, OpenStream opened) {
        streams.put(stream, opened);
        getContext().watch(stream);
    }

    private Duration tick() {
        return setup.migration().lease().dividedBy(2);
    }

    private Session.Bounds bounds() {
        long lease = setup.migration().lease().toNanos();
        return new Session.Bounds(
                lease,
                setup.config().acceptTimeout().toNanos(),
                setup.migration().workerWait().toNanos(),
                lease / Leases.LOOKS_PER_LEASE,
                setup.migration().withoutProgressMax());
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

    private void place(ActorRef<TokenStream.Command> stream, Set<WorkerId> without, int tokensSoFar) {
        var open = streams.get(stream);
        if (open == null) {
            return;
        }
        workers.state().ended(open.requestId());
        long now = System.nanoTime();
        var query = query(open.request, open.prompt, tokensSoFar);
        var all = workers.state().view(query, now);
        var view = without.isEmpty() ? all : without(all, without);
        var decision = setup.placement().place(view, query, setup.random());
        LOG.debug("Request {} ({}): {}", open.requestId(), open.request.userRequestId(), decision);
        setup.decisions().add(open.requestId(), query, decision, System.currentTimeMillis());
        var chosen = decision.chosen().orElse(null);
        var worker = chosen == null ? null : workers.ref(chosen);
        open.worker = chosen;
        open.ref = worker;
        if (chosen == null || worker == null) {
            stream.tell(new TokenStream.NotPlaced(decision.reason(), workers.silent(open.request.model())));
            return;
        }
        workers.state().dispatched(chosen, open.requestId(), query, decision, now);
        stream.tell(new TokenStream.Placed(chosen, worker, sources(query, chosen)));
    }

    private static ClusterView without(ClusterView view, Set<WorkerId> some) {
        return new ClusterView(view.workers().stream()
                .filter(worker -> !some.contains(worker.id()))
                .toList());
    }

    /** @param tokensSoFar which are computed with the prompt, and not generated again */
    private static Query query(ValidRequest request, HashChain chain, int tokensSoFar) {
        var generation = request.generation();
        int output = generation.sampling().maxTokens();
        int prompt = generation.prompt().length;
        return new Query(
                generation.model(),
                prompt + tokensSoFar,
                Math.max(0, (long) output * generation.sampling().n() - tokensSoFar),
                prompt + output,
                chain);
    }

    /** Workers that are listed, and those that are not any more, for they drain, but still have streams of ours. */
    private Map<WorkerId, ActorRef<WorkerProtocol.Command>> met() {
        var met = workers.described();
        for (var stream : streams.values()) {
            if (stream.worker != null && stream.ref != null) {
                met.put(stream.worker, stream.ref);
            }
        }
        return met;
    }

    private void lookAround() {
        boolean audit = looks++ % LOOKS_PER_AUDIT == 0;
        var renew = new WorkerProtocol.Renew(setup.routerId(), looks, audit, signsOfLife);
        met().values().forEach(worker -> worker.tell(renew));
        for (var lost : leases.look(System.nanoTime())) {
            lost(lost, "has been silent for " + setup.migration().lease().toMillis() + " ms");
        }
    }

    private void heard(Alive alive) {
        var met = met();
        var worker = met.keySet().stream()
                .filter(id -> id.incarnation() == alive.incarnation())
                .findFirst()
                .orElse(null);
        if (worker == null) {
            return;
        }
        if (alive.stuck()) {
            if (leases.lose(worker)) {
                lost(worker, "is stuck in a step for %d ms".formatted(alive.inStepMillis()));
            }
            return;
        }
        leases.heard(worker, System.nanoTime());
        workers.suspect(worker, "");
        if (alive.audit()) {
            audit(worker, met.get(worker), alive);
        }
    }

    /** Ends at a worker what this router does not know, or has given to another. */
    private void audit(WorkerId worker, @Nullable ActorRef<WorkerProtocol.Command> ref, Alive alive) {
        var here = streams.values().stream()
                .filter(stream -> worker.equals(stream.worker))
                .map(OpenStream::requestId)
                .collect(Collectors.toSet());
        for (var running : alive.running()) {
            if (ref != null && !here.contains(running.requestId().value())) {
                LOG.info("Worker {} runs request {} for nobody", worker, running.requestId());
                ref.tell(new WorkerProtocol.Cancel(running.requestId(), running.attempt(), OptionalInt.empty()));
            }
        }
    }

    private void lost(WorkerId worker, String how) {
        workers.suspect(worker, "it " + how);
        streams.forEach((stream, open) -> {
            if (worker.equals(open.worker)) {
                stream.tell(new TokenStream.WorkerLost(worker, how));
            }
        });
    }

    private Behavior<Command> sessionEnded(Terminated ended) {
        // Typed by path and uid alone, so the map's key type does not matter.
        var stream = streams.remove(ended.getRef().<TokenStream.Command>unsafeUpcast());
        if (stream != null) {
            workers.state().ended(stream.requestId());
            stream.response.publish(new OutputEvent.Failed(
                    Failure.of(FailureKind.INTERNAL, "the token stream of this request failed")));
        }
        return this;
    }

    private void listed(Receptionist.Listing listing) {
        var all = listing.getAllServiceInstances(WorkerProtocol.KEY);
        var reachable = listing.getServiceInstances(WorkerProtocol.KEY);
        // One that has only deregistered is draining: its streams go on. One that is dead, they see for themselves.
        workers.keepOnly(all);
        var met = met();
        leases.peers().stream().filter(id -> !met.containsKey(id)).toList().forEach(leases::forget);
        for (var worker : workers.unreachable(reachable)) {
            var id = workers.id(worker);
            if (id != null) {
                lost(id, "cannot be reached");
            }
        }
        reachable.stream().filter(workers::isNew).forEach(this::describe);
        workers.publish();
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
        if (index != null) {
            index.serves(answer.description(), updates, System.nanoTime());
        }
        worker.tell(new WorkerProtocol.Subscribe(loads));
        var id = workers.id(worker);
        if (id != null) {
            leases.heard(id, System.nanoTime());
        }
        workers.publish();
    }
}
