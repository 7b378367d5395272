package dev.kvasir.deploy;

import dev.kvasir.kvstore.actor.PrefixCacheShards;
import dev.kvasir.kvstore.store.KvStore;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.router.Access;
import dev.kvasir.router.http.StatusServer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.UncheckedIOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.pekko.Done;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One member of a cluster in this process, wired by hand: an actor system, a worker with its model, a router with its
 * doors, as its roles say. Owns all of them; {@link #close} gives everything back.
 */
public final class KvasirNode implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(KvasirNode.class);
    /** Beside a member that has crashed: until the others have given it up (pekko.conf), with room. */
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(60);

    private final KvasirConfig config;
    private final ActorSystem<Void> system;
    private volatile @Nullable WorkerMember worker;
    private volatile @Nullable RouterMember router;
    private volatile @Nullable StatusServer status;
    private volatile boolean serving;

    private KvasirNode(KvasirConfig config, ActorSystem<Void> system) {
        this.config = config;
        this.system = system;
    }

    /**
     * Starts a member and returns when it serves: joined, doors open, model loaded and warm. A router without a worker of
     * its own answers that it is not ready until one joins.
     */
    static KvasirNode start(KvasirConfig config, StartReport report) throws InterruptedException {
        // What cannot be served is refused before anything is started.
        var folder = config.has(Role.ROUTER) || config.has(Role.WORKER) ? ModelFolder.open(config.model()) : null;
        var certificates = config.tls().map(files -> read(() -> Certificates.open(files)));
        if (config.has(Role.ROUTER)) {
            read(() -> Access.of(config.router().access()));
        }
        var node = new KvasirNode(config, ClusterMember.start(config, certificates));
        try {
            node.startRoles(folder, certificates, new PrometheusRegistry(), report);
            node.serving = true;
            return node;
        } catch (RuntimeException | InterruptedException e) {
            node.close();
            throw e;
        }
    }

    private static <T> T read(Supplier<T> files) {
        try {
            return files.get();
        } catch (IllegalArgumentException | UncheckedIOException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
    }

    private void startRoles(
            @Nullable ModelFolder folder,
            Optional<Certificates> certificates,
            PrometheusRegistry registry,
            StartReport report)
            throws InterruptedException {
        takePartInShutdown();
        if (!config.has(Role.ROUTER)) {
            status = statusServer(registry);
        }
        var shards = PrefixCacheShards.start(system, config.kvstore().shardLimits(), new SecureRandom());
        if (folder != null && config.has(Role.ROUTER)) {
            router = RouterMember.start(config, folder, system, registry, shards);
        }
        if (config.has(Role.WORKER)
                && config.sharing().pull()
                && !config.warmUpTimeout().isZero()) {
            TransfersWarmUp.begin(config.transferSettings());
        }
        var doors = router == null ? DoorsWarmUp.none() : DoorsWarmUp.begin(config, router.model());
        try {
            join(folder, certificates, registry, shards, doors, report);
        } finally {
            doors.end();
        }
        if (router != null && worker != null) {
            router.awaitWorker(config.cluster().joinTimeout());
        }
    }

    /** The doors say that they serve as soon as a worker does, so they are warm before they know of any. */
    private void join(
            @Nullable ModelFolder folder,
            Optional<Certificates> certificates,
            PrometheusRegistry registry,
            PrefixCacheShards shards,
            DoorsWarmUp doors,
            StartReport report)
            throws InterruptedException {
        if (!config.has(Role.WORKER)) {
            doors.await(report);
        }
        long start = System.nanoTime();
        ClusterMember.join(system, config.cluster(), certificates);
        report.stage("joined the cluster as " + ClusterMember.address(system), System.nanoTime() - start);
        if (config.has(Role.KVSTORE)) {
            system.systemActorOf(
                    KvStore.create(config.kvstore(), place(), shards, registry), "kvasir-kvstore", Props.empty());
        }
        if (folder != null && config.has(Role.WORKER)) {
            worker = WorkerMember.start(config, folder, system, registry, shards, doors, report);
        }
    }

    private StatusServer statusServer(PrometheusRegistry registry) {
        var at = config.status();
        HttpPort.requireFree(at.host(), at.port());
        return StatusServer.start(at.host(), at.port(), registry, Version.current(), () -> serving);
    }

    private KvStore.Place place() {
        var classic = (ExtendedActorSystem) Adapter.toClassic(system);
        return new KvStore.Place(
                classic.provider().getDefaultAddress().toString(),
                classic.uid(),
                system.startTime(),
                config.transferSettings(),
                config.dataDir().resolve("kv"));
    }

    /** All actors of this member. */
    ActorSystem<Void> system() {
        return system;
    }

    /** Where this member listens. */
    public Addresses addresses() {
        var cluster = ClusterMember.address(system);
        var doors = router;
        var probes = status;
        if (doors != null) {
            return doors.addresses(cluster);
        }
        return Addresses.of(config.status().host(), probes == null ? 0 : probes.port(), cluster);
    }

    /** A line or two about the worker of this member; empty where it has none. */
    String describeWorker() {
        return worker == null ? "" : worker.describe();
    }

    /** The model served here takes conversations. */
    boolean hasChat() {
        return router != null && router.hasChat();
    }

    /** Completes when this member has left its cluster, whoever wanted it. */
    CompletionStage<Done> terminated() {
        return system.getWhenTerminated();
    }

    /** Whether this member left because it was asked to, rather than because the cluster had lost it. */
    boolean leftOnRequest() {
        return CoordinatedShutdown.get(Adapter.toClassic(system))
                .getShutdownReason()
                .filter(reason -> reason instanceof CoordinatedShutdown.ClusterLeavingReason$)
                .isPresent();
    }

    /** Whether this member left because its worker stopped of itself, so that starting anew may help. */
    boolean workerBroke() {
        var engine = worker;
        return engine != null && engine.broke();
    }

    /** Takes no new requests and waits, a bounded time, until those at hand have been answered. */
    void drain() throws InterruptedException {
        serving = false;
        var doors = router;
        if (doors != null) {
            if (workerBroke()) {
                doors.workerBroke();
            }
            doors.drain();
        }
        var engine = worker;
        if (engine != null) {
            engine.drain();
        }
    }

    /** Makes drain and doors part of the shutdown, whatever begins it: {@link #close}, a signal, or the cluster. */
    private void takePartInShutdown() {
        var shutdown = CoordinatedShutdown.get(Adapter.toClassic(system));
        shutdown.addTask(
                CoordinatedShutdown.PhaseBeforeServiceUnbind(), "drain", () -> onOwnThread("drain", this::drain));
        shutdown.addTask(
                CoordinatedShutdown.PhaseServiceUnbind(),
                "doors",
                () -> onOwnThread("doors", () -> {
                    var doors = router;
                    if (doors != null) {
                        doors.close();
                    }
                    var probes = status;
                    if (probes != null) {
                        probes.close();
                    }
                }));
    }

    /** Part of a shutdown; may wait. */
    private interface Task {
        void run() throws InterruptedException;
    }

    private static CompletionStage<Done> onOwnThread(String name, Task task) {
        var done = new CompletableFuture<Done>();
        Thread.ofVirtual().name("kvasir-" + name).start(() -> {
            try {
                task.run();
                done.complete(Done.getInstance());
            } catch (InterruptedException | RuntimeException e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    /** Drains, closes doors, leaves the cluster and gives memory and threads back. */
    @Override
    public void close() {
        system.terminate();
        try {
            var timeout = config.drainTimeoutMax().plus(STOP_TIMEOUT);
            system.getWhenTerminated().toCompletableFuture().get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            LOG.warn("The actor system did not stop in time", e);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
