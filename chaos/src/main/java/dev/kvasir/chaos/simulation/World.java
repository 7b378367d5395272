package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.model.GenerationDefaults;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.router.Failure;
import dev.kvasir.router.ModelText;
import dev.kvasir.router.ServedModel;
import dev.kvasir.router.Session;
import dev.kvasir.worker.StreamSettings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** One run of a scenario: everything that is in it, and the promises that are checked meanwhile. */
final class World {
    static final String CLIENT = "client";

    static final long LEASE = Timeline.SECOND;
    static final long REQUEST_MAX = 60 * Timeline.SECOND;
    static final StreamSettings STREAM_SETTINGS = new StreamSettings(
            Duration.ofNanos(LEASE),
            Duration.ofSeconds(30),
            Duration.ofSeconds(20),
            Duration.ofSeconds(10),
            256,
            1 << 20);
    static final Session.Bounds BOUNDS =
            new Session.Bounds(LEASE, 5 * Timeline.SECOND, 15 * Timeline.SECOND, LEASE / 4, 8);

    private static final long BEGIN = Timeline.SECOND;
    private static final long HEAL = 20 * Timeline.SECOND;
    private static final long REST = 4 * Timeline.SECOND;
    private static final long LONG_REST = 25 * Timeline.SECOND;
    /** From then on the longest time until a lease has ended, a follower has asked and the answer is there. */
    private static final long SETTLES_WITHIN = 15 * Timeline.SECOND;

    private static final int LONG_RESTS_IN = 4;

    private final Scenario scenario;
    private final Timeline timeline = new Timeline();
    private final Trace trace;
    private final Network network;
    private final Membership membership;
    private final Sharding sharding;
    private final Wires wires;
    private final List<String> shardNames;
    private final Cluster cluster;
    private final Map<String, SimulatedDisk> disks = new LinkedHashMap<>();
    private final ClientShell client;
    private final Stats stats = new Stats();
    private final List<Invariant> invariants;
    private final boolean restsLong;
    private boolean inMeanwhile;

    /** Sums over a run, to see that the runs reach what they are meant to reach. */
    static final class Stats {
        long events;
        long requests;
        long completed;
        long failed;
        long cachedTokens;
        long preemptions;
        long moved;
        long pulledBlocks;
        long pullsFailed;
        long keptBlocks;
        long resumed;
        long virtualNanos;
        long disksOff;
        long diskReads;

        void add(Stats other) {
            events += other.events;
            requests += other.requests;
            completed += other.completed;
            failed += other.failed;
            cachedTokens += other.cachedTokens;
            preemptions += other.preemptions;
            moved += other.moved;
            pulledBlocks += other.pulledBlocks;
            pullsFailed += other.pullsFailed;
            keptBlocks += other.keptBlocks;
            resumed += other.resumed;
            virtualNanos += other.virtualNanos;
            disksOff += other.disksOff;
            diskReads += other.diskReads;
        }

        @Override
        public String toString() {
            return "%,d events, %,d s of virtual time, %,d requests: %,d complete, %,d failed; %,d tokens from caches, %,d preemptions, %,d times moved, %,d resumed; %,d blocks pulled, %,d pulls failed, %,d kept after an offer, %,d read from disks, %,d disks switched off"
                    .formatted(
                            events,
                            virtualNanos / Timeline.SECOND,
                            requests,
                            completed,
                            failed,
                            cachedTokens,
                            preemptions,
                            moved,
                            resumed,
                            pulledBlocks,
                            pullsFailed,
                            keptBlocks,
                            diskReads,
                            disksOff);
        }
    }

    /** What runs in the members; tests put faulty ones in its place. */
    static class Programs {
        Life.Program worker(World world, Life life) {
            return new WorkerShell(world, life);
        }

        Life.Program kvstore(World world, Life life, long seed) {
            return new KvStoreShell(world, life, Randoms.of(seed, life.toString()));
        }

        Life.Program router(World world, Life life, long seed) {
            return new RouterShell(world, life, Randoms.of(seed, life.toString()));
        }
    }

    World(Scenario scenario, long seed, ServedModel model, Programs programs, boolean traced) {
        this.scenario = scenario;
        this.restsLong = seed % LONG_RESTS_IN == 0;
        this.trace = new Trace(timeline, traced);
        this.network = new Network(timeline, Randoms.of(seed, "network"), trace);
        this.membership = new Membership(this, Randoms.of(seed, "membership"));
        this.sharding = new Sharding(this);
        this.wires = new Wires(this, Randoms.of(seed, "wires"));
        this.cluster = new Cluster(this, Randoms.of(seed, "cluster"));
        var geometry = scenario.geometry();
        this.shardNames = ShardName.all(
                ShardName.pool(StandInModel.KV_ORIGIN, StandInModel.KV_DTYPE, geometry.blockSize()), geometry.shards());
        var jobs = scenario.workload().jobs(model, Randoms.of(seed, "workload"));
        var outside = new Life(timeline, CLIENT, 0, 0);
        var oracle = new Oracle(geometry);
        this.client = new ClientShell(this, outside, jobs, oracle, Randoms.of(seed, "client"));
        for (int i = 0; i < geometry.routers(); i++) {
            cluster.install(router(i), life -> programs.router(this, life, seed));
        }
        for (int i = 0; i < geometry.kvstores(); i++) {
            disks.put(kvstore(i), new SimulatedDisk(Randoms.of(seed, "disk of " + kvstore(i))));
            cluster.install(kvstore(i), life -> programs.kvstore(this, life, seed));
        }
        for (int i = 0; i < geometry.workers(); i++) {
            cluster.install(worker(i), life -> programs.worker(this, life));
        }
        this.invariants = Invariant.all(oracle.chainRoots());
        stats.requests = jobs.size();
        cluster.startAll();
        membership.start();
        at(0, () -> outside.begin(client));
        scenario.faults().forEach(fault -> fault.plan(this));
    }

    /** The stand-in model with a real tokenizer's text. */
    static ServedModel model(Tokenizer tokenizer) {
        return ServedModel.of(
                StandInModel.NAME,
                new ModelText(tokenizer, Optional.empty()),
                GenerationDefaults.none(List.of(StandInModel.END)),
                1024,
                StandInModel.VOCABULARY);
    }

    static String worker(int index) {
        return "worker" + index;
    }

    static boolean isWorker(String member) {
        return member.startsWith("worker");
    }

    static String kvstore(int index) {
        return "kvstore" + index;
    }

    static boolean isStore(String member) {
        return member.startsWith("kvstore");
    }

    static String router(int index) {
        return "router" + index;
    }

    /** Runs until all requests are over, all faults too, and everything has come to rest. */
    void run() {
        long faultsEnd = BEGIN
                + scenario.faults().stream().mapToLong(Fault::endNanos).max().orElse(0);
        runUntil(faultsEnd);
        long end = timeline.now() + HEAL + REQUEST_MAX;
        while (timeline.now() < end && !(client.isDone() && cluster.isHealthy())) {
            runUntil(timeline.now() + Timeline.SECOND);
        }
        runUntil(timeline.now() + (restsLong ? LONG_REST : REST));
        long settled = timeline.now() + SETTLES_WITHIN;
        while (timeline.now() < settled && invariants.stream().anyMatch(invariant -> invariant.waits(this))) {
            runUntil(timeline.now() + Timeline.SECOND);
        }
        stats.events = timeline.happened();
        stats.virtualNanos = timeline.now();
        stats.completed =
                client.exchanges().stream().filter(e -> e.answer().complete()).count();
        stats.failed = client.exchanges().stream()
                .filter(e -> e.answer().failureKind() != null)
                .count();
        for (var worker : programs(WorkerShell.class)) {
            var pulls = worker.pulls();
            stats.pulledBlocks += pulls == null ? 0 : pulls.blocks();
            stats.pullsFailed += pulls == null ? 0 : pulls.failed();
        }
        for (var store : programs(KvStoreShell.class)) {
            stats.disksOff += store.diskSwitchedOff();
        }
        stats.diskReads =
                disks.values().stream().mapToLong(SimulatedDisk::reads).sum();
        invariants.forEach(invariant -> invariant.atRest(this));
    }

    private void runUntil(long nanos) {
        while (timeline.step(nanos)) {}
        // Nothing is left to happen before that time: it has come.
        timeline.at(nanos, () -> {});
        timeline.step(nanos);
    }

    /** Faults' times count from the clients' start. */
    void at(long nanos, Runnable action) {
        timeline.at(BEGIN + nanos, action);
    }

    void checkNow() {
        for (var invariant : invariants) {
            invariant.now(this);
        }
    }

    void told(HolderShell holder) {
        for (var invariant : invariants) {
            invariant.told(holder);
        }
    }

    void updated(RouterShell router, String shard) {
        for (var invariant : invariants) {
            invariant.updated(this, router, shard);
        }
    }

    void engineStepped(Life life, WorkerShell worker) {
        for (var invariant : invariants) {
            invariant.engineStepped(life, worker);
        }
    }

    /** A client saw its request fail. */
    void failed(ClientShell.Exchange exchange, Failure failure) {
        trace.note(CLIENT, () -> exchange.job().id() + " failed: " + failure);
        for (var invariant : invariants) {
            invariant.failed(this, exchange, failure);
        }
    }

    /** Programs of one kind that are alive. */
    <P extends Life.Program> List<P> programs(Class<P> kind) {
        var found = new ArrayList<P>();
        for (var life : cluster.alive()) {
            if (kind.isInstance(life.program())) {
                found.add(kind.cast(life.program()));
            }
        }
        return found;
    }

    /** Whether the time is over, too, for which answers are kept. */
    boolean restsLong() {
        return restsLong;
    }

    Scenario scenario() {
        return scenario;
    }

    Geometry geometry() {
        return scenario.geometry();
    }

    Timeline timeline() {
        return timeline;
    }

    Trace trace() {
        return trace;
    }

    Network network() {
        return network;
    }

    /** Lets others go on while a thread of one member waits for bytes; one such wait at a time. */
    void meanwhile(Life waiting, long nanos) {
        if (inMeanwhile) {
            return;
        }
        inMeanwhile = true;
        try {
            long until = timeline.now() + nanos;
            while (timeline.step(until)) {}
            while (!waiting.isRunning() && !waiting.isDead() && timeline.step(Long.MAX_VALUE)) {}
        } finally {
            inMeanwhile = false;
        }
    }

    /** What lies outside Java's memory is given back. */
    void close() {
        cluster.everyLife().forEach(life -> life.program().end());
    }

    /** Of a kvstore. */
    SimulatedDisk disk(String store) {
        return Objects.requireNonNull(disks.get(store), store);
    }

    Wires wires() {
        return wires;
    }

    Sharding sharding() {
        return sharding;
    }

    /** Names of the prefix index's shards. */
    List<String> shardNames() {
        return shardNames;
    }

    Membership membership() {
        return membership;
    }

    Cluster cluster() {
        return cluster;
    }

    ClientShell client() {
        return client;
    }

    Stats stats() {
        return stats;
    }
}
