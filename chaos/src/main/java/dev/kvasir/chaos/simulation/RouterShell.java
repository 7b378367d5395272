package dev.kvasir.chaos.simulation;

import com.google.protobuf.ByteString;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Findings;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.Session;
import dev.kvasir.router.Session.Action;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.ClusterView;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** A router: {@link Session}s, {@link Leases}, {@link ClusterState} and {@link Placement}, told what arrives and when. */
class RouterShell implements Life.Program {
    private static final long LEASE = World.LEASE;
    private static final long FIND_NANOS = Timeline.SECOND;
    private static final int LOOKS_PER_AUDIT = 8;

    /** A request, its client, and the worker that it was last given to. */
    private static final class Stream {
        private final Job job;
        private final Life client;
        private final Session session;
        private final long deadlineNanos;
        private final Map<WorkerId, Life> met = new LinkedHashMap<>();
        private final ActorRef<Delivery> replies;
        private @Nullable WorkerId worker;

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
    private final RandomGenerator random;
    private final KnownWorkers workers = new KnownWorkers();
    private final Leases<WorkerId> leases;
    private final Placement placement;
    private final Map<RequestId, Stream> streams = new LinkedHashMap<>();
    private long looks;

    RouterShell(World world, Life self, RandomGenerator random) {
        this.world = world;
        this.self = self;
        this.random = random;
        this.leases = new Leases<>(LEASE, self.nanos());
        this.placement = world.scenario().policy().create();
    }

    @Override
    public void start() {
        self.every(LEASE / Leases.LOOKS_PER_LEASE, this::lookAround);
        self.every(
                LEASE / 2,
                () -> List.copyOf(streams.values())
                        .forEach(stream -> apply(stream, stream.session.tick(self.nanos()))));
    }

    @Override
    public void joined(Life other) {
        if (other.program() instanceof WorkerShell && workers.listed(other)) {
            describe(other);
        }
    }

    private void describe(Life worker) {
        send(worker, new WorkerProtocol.Describe(new Ref<>(world, self, answer -> described(worker, answer))));
        self.after(3 * Timeline.SECOND, () -> {
            if (workers.isListed(worker) && workers.id(worker) == null) {
                describe(worker);
            }
        });
    }

    private void described(Life worker, WorkerProtocol.Description description) {
        if (workers.described(worker, description)) {
            var id = new WorkerId(description.address(), description.incarnation());
            leases.heard(id, self.nanos());
            send(worker, new WorkerProtocol.Subscribe(new Ref<>(world, self, report -> workers.reported(id, report))));
        }
    }

    /** It takes nothing new, but what it has goes on. */
    @Override
    public void deregistered(Life other) {
        forget(other);
    }

    private void forget(Life other) {
        var id = workers.id(other);
        workers.forget(other);
        if (id != null) {
            leases.forget(id);
        }
    }

    @Override
    public void reachable(Life other, boolean now) {
        var id = workers.id(other);
        workers.reachable(other, now);
        if (id != null && !now) {
            lost(id, "cannot be reached");
        }
    }

    @Override
    public void left(Life other) {
        forget(other);
        for (var stream : List.copyOf(streams.values())) {
            for (var met : Map.copyOf(stream.met).entrySet()) {
                if (met.getValue() == other) {
                    stream.met.remove(met.getKey());
                    apply(stream, stream.session.lost(met.getKey(), "stopped"));
                }
            }
        }
    }

    private void lookAround() {
        boolean audit = looks++ % LOOKS_PER_AUDIT == 0;
        workers.all()
                .forEach((id, life) -> send(
                        life,
                        new WorkerProtocol.Renew(
                                self.toString(), looks, audit, new Ref<>(world, self, alive -> heard(id, alive)))));
        leases.look(self.nanos()).forEach(id -> lost(id, "has been silent"));
    }

    private void heard(WorkerId id, WorkerProtocol.Alive alive) {
        if (workers.life(id) == null) {
            return;
        }
        leases.heard(id, self.nanos());
        workers.suspect(id, false);
        if (alive.audit()) {
            audit(id, alive);
        }
    }

    /** Ends at a worker what this router does not know, or has given to another. */
    private void audit(WorkerId id, WorkerProtocol.Alive alive) {
        var here = new HashSet<RequestId>();
        streams.values().stream()
                .filter(stream -> id.equals(stream.worker))
                .forEach(stream -> here.add(stream.job.id()));
        var life = workers.life(id);
        for (var running : alive.running()) {
            if (life != null && !here.contains(running.requestId())) {
                send(life, new WorkerProtocol.Cancel(running.requestId(), running.attempt(), OptionalInt.empty()));
            }
        }
    }

    private void lost(WorkerId id, String how) {
        workers.suspect(id, true);
        List.copyOf(streams.values()).stream()
                .filter(stream -> id.equals(stream.worker))
                .forEach(stream -> apply(stream, stream.session.lost(id, how)));
    }

    @Override
    public void receive(Life from, Object message) {
        switch ((Message) message) {
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
            case Message.Said _ -> throw new IllegalStateException("a router got " + message);
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
        self.after(patience, () -> {
            if (streams.get(job.id()) == stream) {
                fail(stream, FailureKind.DEADLINE_EXCEEDED, "the request was not done in time");
            }
        });
        return stream;
    }

    private void find(Life client, Message.Resume resume) {
        var heard = new LinkedHashMap<>(workers.all());
        heard.keySet().removeIf(id -> !leases.holds(id));
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
        var life = workers.life(worker);
        boolean again = !known.complete() || life == null;
        long attempt = again ? Attempt.resumed(known.attempt()) : known.attempt();
        if (again && life != null) { // What it knows cannot be told again: it is generated anew.
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
        stream.worker = worker;
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
        if (stream.session.ended() && streams.remove(stream.job.id(), stream) && stream.worker != null) {
            workers.state().ended(stream.job.id().value());
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
                                stream.replies));
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
        var state = workers.state();
        var id = stream.job.id().value();
        long now = self.nanos();
        state.ended(id);
        var query = query(stream);
        var candidates = new ArrayList<>(state.view(query, now).workers());
        candidates.removeIf(worker -> without.contains(worker.id()));
        var decision = placement.place(new ClusterView(candidates), query, random);
        var chosen = decision.chosen().orElse(null);
        var life = chosen == null ? null : workers.life(chosen);
        stream.worker = chosen;
        if (chosen == null || life == null) {
            apply(stream, stream.session.notPlaced(decision.reason(), workers.someAreSilent(), now));
            return;
        }
        state.dispatched(chosen, id, query, decision, now);
        stream.met.put(chosen, life);
        apply(stream, stream.session.placed(chosen, now));
    }

    private Query query(Stream stream) {
        var request = stream.job.request().generation();
        int soFar = stream.session.tokenCount();
        int output = request.sampling().maxTokens();
        int prompt = request.prompt().length;
        return new Query(
                request.model(),
                prompt + soFar,
                Math.max(0, (long) output * request.sampling().n() - soFar),
                prompt + output,
                chain(request));
    }

    /** Names of the prompt's blocks, as workers will name them. */
    private HashChain chain(GenerationRequest request) {
        int blockSize = world.geometry().blockSize();
        var hasher = new BlockHasher(blockSize);
        var root = new HashRoot(
                StandInModel.FINGERPRINT,
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
        return !workers.all().isEmpty();
    }

    int streams() {
        return streams.size();
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
