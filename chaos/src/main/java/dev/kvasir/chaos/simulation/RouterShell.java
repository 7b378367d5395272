package dev.kvasir.chaos.simulation;

import com.google.protobuf.ByteString;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.Dispatch;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Findings;
import dev.kvasir.router.IndexFollower;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.Oversight;
import dev.kvasir.router.Quorum;
import dev.kvasir.router.ServedModel;
import dev.kvasir.router.Session;
import dev.kvasir.router.Session.Action;
import dev.kvasir.router.Takeover;
import dev.kvasir.router.Workers;
import dev.kvasir.router.placement.ClusterView;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.Roster;
import dev.kvasir.router.placement.WorkerId;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * A router: {@link Session}s, {@link Oversight}, {@link Workers}, {@link IndexFollower} and {@link Dispatch}, told what arrives
 * and when.
 */
class RouterShell implements Life.Program {
    private static final long LEASE = World.LEASE;
    private static final long MINORITY_NANOS = 3 * Timeline.SECOND;
    private static final long FIND_NANOS = Timeline.SECOND;

    /** A request, its client, and the worker that it was last given to. */
    private static final class Stream {
        private final Job job;
        private final Life client;
        private final Session session;
        private final long deadlineNanos;
        private final Map<WorkerId, Life> met = new LinkedHashMap<>();
        private final ActorRef<Delivery> replies;
        private List<KvSource> sources = List.of();

        Stream(Job job, Life client, Session session, long deadlineNanos, ActorRef<Delivery> replies) {
            this.job = job;
            this.client = client;
            this.session = session;
            this.deadlineNanos = deadlineNanos;
            this.replies = replies;
        }
    }

    private final World world;
    private final Life self;
    private final IndexFollower index;
    private final ActorRef<Update> updates;
    private final Workers<Life> workers;
    private final Oversight<Life, RequestId> oversight;
    private final Dispatch dispatch;
    private final Quorum quorum = new Quorum(MINORITY_NANOS);
    private String isolation = "";
    private final Map<RequestId, Stream> streams = new LinkedHashMap<>();
    private final Map<Life, Ref<WorkerProtocol.LoadReport>> loads = new HashMap<>();
    private final Set<Life> listed = new LinkedHashSet<>();
    private final Set<Life> unreachable = new LinkedHashSet<>();
    private final Set<Life> watched = new LinkedHashSet<>();

    RouterShell(World world, Life self, RandomGenerator random) {
        this.world = world;
        this.self = self;
        var geometry = world.geometry();
        this.index = new IndexFollower(world.sharding().from(self), geometry.shards(), geometry.replicaBlocks());
        this.updates = new Ref<>(world, self, this::updated);
        this.workers = new Workers<>(
                new Roster(WorkerProtocol.VERSION, Map.of(StandInModel.NAME, StandInModel.VOCABULARY)),
                query -> index.prefixes(query.model(), query.prompt()),
                _ -> {});
        this.oversight = new Oversight<>(workers, LEASE, self.nanos());
        this.dispatch = new Dispatch(world.scenario().policy().create(), random);
    }

    @Override
    public void start() {
        self.every(LEASE / Leases.LOOKS_PER_LEASE, this::lookAround);
        self.every(Timeline.SECOND, () -> {
            index.serve(workers.serving(), updates, self.nanos());
            index.followAll(updates, self.nanos());
        });
        self.every(
                LEASE / 2,
                () -> List.copyOf(streams.values())
                        .forEach(stream -> apply(stream, stream.session.tick(self.nanos()))));
    }

    @Override
    public void joined(Life other) {
        if (World.isWorker(other.name())) {
            listed.add(other);
            lookAtList();
        }
    }

    /** What the receptionist tells. */
    private void lookAtList() {
        var reachable = new LinkedHashSet<>(listed);
        reachable.removeAll(unreachable);
        apply(oversight.listed(listed, reachable));
    }

    void updated(Update update) {
        index.updated(update, updates, self.nanos());
        world.updated(this, update.shard());
    }

    private void describe(Life worker) {
        send(worker, new WorkerProtocol.Describe(new Ref<>(world, self, answer -> described(worker, answer))));
        self.after(3 * Timeline.SECOND, () -> {
            if (workers.isKnown(worker) && workers.id(worker) == null) {
                describe(worker);
            }
        });
    }

    private void described(Life worker, WorkerProtocol.Description description) {
        if (workers.isKnown(worker) && workers.id(worker) == null) {
            loads.put(worker, new Ref<>(world, self, report -> workers.reported(worker, report)));
            oversight.described(worker, description, () -> loads.remove(worker), self.nanos());
            watched.add(worker);
            index.serve(workers.serving(), updates, self.nanos());
            subscribe(worker);
            List.copyOf(streams.values()).forEach(stream -> apply(stream, stream.session.lookAgain()));
        }
    }

    private void subscribe(Life worker) {
        var reports = loads.get(worker);
        if (reports != null) {
            send(worker, new WorkerProtocol.Subscribe(reports));
        }
    }

    /** It takes nothing new, but what it has goes on. */
    @Override
    public void deregistered(Life other) {
        unlist(other);
    }

    private void unlist(Life other) {
        unreachable.remove(other);
        if (listed.remove(other)) {
            lookAtList();
        }
    }

    @Override
    public void reachable(Life other, boolean now) {
        if (listed.contains(other) && (now ? unreachable.remove(other) : unreachable.add(other))) {
            lookAtList();
        }
    }

    @Override
    public void left(Life other) {
        unlist(other);
    }

    @Override
    public void terminated(String address) {
        for (var worker : List.copyOf(watched)) {
            if (worker.name().equals(address)) {
                watched.remove(worker);
                oversight.gone(worker);
            }
        }
        for (var stream : List.copyOf(streams.values())) {
            for (var met : Map.copyOf(stream.met).entrySet()) {
                if (met.getValue().name().equals(address)) {
                    stream.met.remove(met.getKey());
                    apply(stream, stream.session.lost(met.getKey(), "stopped"));
                }
            }
        }
    }

    private void lookAround() {
        apply(oversight.look(self.nanos()));
        isolation = quorum.refusal(world.membership().statuses(self), self.nanos());
    }

    private void apply(List<Oversight.Action<Life, RequestId>> actions) {
        for (var action : actions) {
            switch (action) {
                case Oversight.Action.Renew(var worker, long sequence, boolean audit) -> {
                    send(
                            worker,
                            new WorkerProtocol.Renew(
                                    self.toString(),
                                    sequence,
                                    audit,
                                    new Ref<>(world, self, alive -> apply(oversight.heard(alive, self.nanos())))));
                    if (audit) {
                        subscribe(worker);
                    }
                }
                case Oversight.Action.Describe(var worker) -> describe(worker);
                case Oversight.Action.End(var worker, var requestId, long attempt) ->
                    send(worker, new WorkerProtocol.Cancel(requestId, attempt, OptionalInt.empty()));
                case Oversight.Action.Lost(var id, var worker, var how) -> {
                    var stream = streams.get(id);
                    if (stream != null) {
                        apply(stream, stream.session.lost(worker, how));
                    }
                }
            }
        }
    }

    @Override
    public void receive(Life from, Object message) {
        switch ((Message) message) {
            case Message.Open(var job)
            when !isolation.isEmpty() -> say(from, job.id(), failure(FailureKind.UNAVAILABLE, isolation));
            case Message.Resume(var job, var received)
            when !isolation.isEmpty() -> say(from, job.id(), failure(FailureKind.UNAVAILABLE, isolation));
            case Message.Open(var job) -> {
                var session = Session.begin(job.request(), World.BOUNDS);
                apply(open(from, job, session), session.start());
            }
            case Message.Close(var id) -> {
                var stream = streams.get(id);
                if (stream != null && stream.client == from) {
                    fail(stream, FailureKind.CANCELLED, "the request was cancelled");
                }
            }
            case Message.Resume resume -> find(from, resume);
            case Message.Said _, Message.ToShard _, Message.Drain _ ->
                throw new IllegalStateException("a router got " + message);
        }
    }

    private Stream open(Life client, Job job, Session session) {
        long patience =
                Math.min(job.deadlineNanos() == Job.NEVER ? Long.MAX_VALUE : job.deadlineNanos(), World.REQUEST_MAX);
        var stream = new Stream(
                job,
                client,
                session,
                self.nanos() + patience,
                new Ref<>(world, self, word -> fromWorker(job.id(), word)));
        streams.put(job.id(), stream);
        oversight.opened(job.id(), job.id());
        self.after(patience, () -> {
            if (streams.get(job.id()) == stream) {
                fail(stream, FailureKind.DEADLINE_EXCEEDED, "the request was not done in time");
            }
        });
        return stream;
    }

    private void find(Life client, Message.Resume resume) {
        var heard = oversight.heard();
        var findings = new Findings(heard.keySet());
        heard.forEach((id, life) -> send(
                life,
                new WorkerProtocol.Find(
                        resume.job().id(), new Ref<>(world, self, answer -> findings.answered(id, answer.known())))));
        self.after(FIND_NANOS, () -> resume(client, resume, findings.best()));
    }

    private void resume(Life client, Message.Resume resume, Optional<Findings.Finding> best) {
        var job = resume.job();
        if (best.isEmpty()) {
            say(client, job.id(), failure(FailureKind.NOT_FOUND, "no worker knows the request"));
            return;
        }
        var worker = best.get().worker();
        var known = best.get().knowledge();
        var before = streams.get(job.id());
        if (before != null) {
            fail(before, FailureKind.ABORTED, "the stream was resumed elsewhere");
        }
        var life = oversight.met().get(worker);
        var takeover = Takeover.of(known, life != null);
        long attempt = takeover.attempt();
        boolean again = takeover.again();
        if (takeover.fenceFirst() && life != null) {
            var nobody = new Ref<Delivery>(world, self, _ -> {});
            send(life, new WorkerProtocol.Claim(job.id(), attempt, self.toString(), 0, nobody));
            send(life, new WorkerProtocol.Cancel(job.id(), attempt, OptionalInt.empty()));
        }
        var session = Session.resume(job.request(), resume.received(), World.BOUNDS, attempt);
        var stream = open(client, job, session);
        if (again || life == null) {
            apply(stream, session.start());
            return;
        }
        stream.met.put(worker, life);
        oversight.given(job.id(), worker, life);
        apply(stream, session.claim(worker, self.nanos()));
    }

    private void fromWorker(RequestId id, Delivery delivery) {
        var stream = streams.get(id);
        if (stream == null) {
            return;
        }
        var worker = stream.session.worker();
        if (worker != null
                && delivery instanceof Delivery.Event event
                && event.event() instanceof StreamEvent.Accepted) {
            workers.state().ledger().acknowledged(worker, id.value());
        }
        apply(stream, received(stream.session, delivery));
    }

    List<Action> received(Session session, Delivery delivery) {
        return session.received(delivery, self.nanos());
    }

    private void fail(Stream stream, FailureKind kind, String why) {
        apply(stream, stream.session.fail(Failure.of(kind, why)));
    }

    private static OutputEvent failure(FailureKind kind, String why) {
        return new OutputEvent.Failed(Failure.of(kind, why));
    }

    private void apply(Stream stream, List<Action> actions) {
        for (var action : actions) {
            apply(stream, action);
        }
        if (stream.session.ended() && streams.remove(stream.job.id(), stream)) {
            oversight.closed(stream.job.id());
        }
    }

    private void apply(Stream stream, Action action) {
        var id = stream.job.id();
        switch (action) {
            case Action.Emit(var event) -> say(stream.client, id, event);
            case Action.Place(var without) -> place(stream, without);
            case Action.Generate(var worker, var continuation) -> {
                world.stats().moved += stream.session.placements() > 1 ? 1 : 0;
                tell(
                        stream,
                        worker,
                        new WorkerProtocol.Generate(
                                stream.job.request().generation(),
                                continuation,
                                ByteString.EMPTY,
                                self.toString(),
                                millisLeft(stream),
                                stream.replies,
                                stream.sources));
            }
            case Action.Claim(var worker, long attempt) -> {
                world.stats().resumed++;
                tell(
                        stream,
                        worker,
                        new WorkerProtocol.Claim(id, attempt, self.toString(), millisLeft(stream), stream.replies));
            }
            case Action.Again(var worker, long attempt, var next, boolean scored) ->
                tell(stream, worker, new WorkerProtocol.Again(id, attempt, next, scored, stream.replies));
            case Action.Cancel(var worker, long attempt, var output) ->
                tell(stream, worker, new WorkerProtocol.Cancel(id, attempt, output));
        }
    }

    private long millisLeft(Stream stream) {
        return Math.max(1, (stream.deadlineNanos - self.nanos()) / Timeline.MILLI);
    }

    private void place(Stream stream, Set<WorkerId> without) {
        var id = stream.job.id();
        var request = stream.job.request();
        long now = self.nanos();
        var query = Dispatch.query(request, chain(request.generation()), stream.session.tokenCount());
        var decision = dispatch.place(workers.state(), id.value(), query, without, now);
        var chosen = decision.chosen().orElse(null);
        var life = chosen == null ? null : workers.ref(chosen);
        oversight.given(id, chosen, life);
        if (chosen == null || life == null) {
            apply(stream, stream.session.notPlaced(decision.reason(), prospect(request.model()), now));
            return;
        }
        workers.state().dispatched(chosen, id.value(), query, decision, now);
        stream.met.put(chosen, life);
        stream.sources = index.sources(query.model(), query.prompt(), chosen.address(), chosen.incarnation());
        apply(stream, stream.session.placed(chosen, now));
    }

    /** No router of a simulated cluster has a worker in its process. */
    private Session.Prospect prospect(ServedModel model) {
        return workers.silent(model) ? Session.Prospect.SILENT : Session.Prospect.ABSENT;
    }

    /** Names of the prompt's blocks, as workers will name them. */
    private HashChain chain(GenerationRequest request) {
        int blockSize = world.geometry().blockSize();
        var hasher = new BlockHasher(blockSize);
        var root = new HashRoot(
                StandInModel.KV_ORIGIN,
                "",
                StandInModel.KV_DTYPE,
                blockSize,
                request.tenant().salt(),
                request.cacheSalt());
        var chain = HashChain.of(hasher, hasher.root(root));
        chain.extend(request.prompt(), request.prompt().length);
        return chain;
    }

    private void tell(Stream stream, WorkerId worker, WorkerProtocol.Command command) {
        var life = stream.met.get(worker);
        if (life != null) {
            send(life, command);
        }
    }

    void say(Life client, RequestId id, OutputEvent event) {
        send(client, new Message.Said(id, event));
    }

    void send(Life to, Object message) {
        world.network().send(self, to, message);
    }

    /** Whether a load balancer would send it clients. */
    boolean ready() {
        return isolation.isEmpty() && workers.listed().stream().anyMatch(worker -> workers.id(worker) != null);
    }

    int streams() {
        return streams.size();
    }

    IndexFollower index() {
        return index;
    }

    Life self() {
        return self;
    }

    /** What it thinks of its workers. */
    ClusterView view() {
        return workers.state().view(new Query(StandInModel.NAME, 1, 1, 2, HashChain.unnamed()), self.nanos());
    }

    @Override
    public String toString() {
        return self.toString();
    }
}
