package dev.kvasir.deploy;

import dev.kvasir.kvstore.actor.PrefixCacheShards;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.Devices;
import dev.kvasir.worker.LoadedModel;
import dev.kvasir.worker.Sharing;
import dev.kvasir.worker.Worker;
import dev.kvasir.worker.WorkerConfig;
import dev.kvasir.worker.WorkerFactory;
import dev.kvasir.worker.WorkerMetrics;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cpu.Determinism;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The worker of a member: its model, loaded and warm, behind the worker actor. */
final class WorkerMember {
    private static final Logger LOG = LoggerFactory.getLogger(WorkerMember.class);

    /** How long the engine may take to end its last step once requests were given back. */
    private static final Duration MOVING = Duration.ofSeconds(5);

    private final ActorRef<WorkerProtocol.Command> actor;
    private final WorkerProtocol.Description description;
    private final CountDownLatch stopped;
    private final Duration drainTimeout;
    private final Duration leaving;
    private volatile boolean draining;
    private volatile boolean broke;

    private WorkerMember(
            ActorSystem<?> system,
            LoadedModel model,
            PrometheusRegistry registry,
            KvasirConfig config,
            PrefixCacheShards shards) {
        this.description = model.description();
        this.stopped = new CountDownLatch(1);
        this.drainTimeout = config.router().drainTimeout();
        this.leaving =
                MOVING.plus(config.streams().resumeWait()).plus(config.sharing().handOverTimeout());
        this.actor = system.systemActorOf(
                Worker.create(
                        () -> model,
                        new WorkerMetrics(registry, config.servedModelName()),
                        config.streams(),
                        Optional.of(new Sharing(
                                config.sharing(),
                                shards,
                                config.kvstore().indexShards(),
                                system.startTime(),
                                config.transferSettings(),
                                registry))),
                "kvasir-worker",
                Props.empty());
        system.systemActorOf(watcher(system), "kvasir-worker-watcher", Props.empty());
    }

    /**
     * Loads the model, warms it up and, once the doors are warm too, begins to serve. What cannot be loaded is refused here, in
     * the user's terms.
     */
    static WorkerMember start(
            KvasirConfig config,
            ModelFolder folder,
            ActorSystem<?> system,
            PrometheusRegistry registry,
            PrefixCacheShards shards,
            DoorsWarmUp doors,
            StartReport report)
            throws InterruptedException {
        long start = System.nanoTime();
        var model = load(config, folder, system, report);
        report.stage("loaded " + size(model.description()), System.nanoTime() - start);
        try {
            WarmUp.run(model, config.warmUpTimeout(), report);
            doors.await(report);
            return new WorkerMember(system, model, registry, config, shards);
        } catch (RuntimeException | InterruptedException e) {
            model.runner().close();
            throw e;
        }
    }

    private static LoadedModel load(
            KvasirConfig config, ModelFolder folder, ActorSystem<?> system, StartReport report) {
        var options = new CpuOptions(
                Runtime.getRuntime().availableProcessors(),
                switch (config.worker().deterministic()) {
                    case AUTO -> Determinism.AUTO;
                    case TRUE -> Determinism.DETERMINISTIC;
                    case FALSE -> Determinism.FAST;
                },
                config.worker().packedWeightsMax(),
                config.dataDir().resolve("native"));
        try {
            var loader = WorkerFactory.loader(
                    system,
                    folder,
                    config.servedModelName(),
                    config.worker(),
                    Devices.choose(config.worker(), options, cudaOptions(config), report::note),
                    report::loaded,
                    report::prepared);
            return loader.call();
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException(String.valueOf(e.getMessage()), e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("the model cannot be loaded", e);
        }
    }

    static CudaOptions cudaOptions(KvasirConfig config) {
        return new CudaOptions(
                config.worker().gpuMemoryUtilization(),
                config.dataDir().resolve("cuda"),
                System.getenv().getOrDefault(CudaOptions.LIBRARY_PATH_VARIABLE, ""),
                config.worker().deterministic() == WorkerConfig.Deterministic.TRUE,
                config.worker().exchangeWay());
    }

    /** Without its worker a member is of no use: it leaves the cluster, and the process ends. */
    private Behavior<Void> watcher(ActorSystem<?> system) {
        return Behaviors.setup(context -> {
            context.watch(actor);
            return Behaviors.receive(Void.class)
                    .onSignal(Terminated.class, _ -> {
                        stopped.countDown();
                        if (!draining) {
                            LOG.error("The worker has stopped; this member leaves the cluster");
                            broke = true;
                            system.terminate();
                        }
                        return Behaviors.stopped();
                    })
                    .build();
        });
    }

    private static String size(WorkerProtocol.Description model) {
        return String.format(Locale.ROOT, "%s, %.1f million parameters", model.family(), model.parameterCount() / 1e6);
    }

    /** A line for people. */
    String describe() {
        return "Worker  %s on %s; %d KV blocks of %d tokens (%s), context %d tokens"
                .formatted(
                        size(description),
                        description.device(),
                        description.totalBlocks(),
                        description.blockSize(),
                        description.kvCacheDtype(),
                        description.maxModelLength());
    }

    /** Whether the worker stopped although nobody wanted it to: its engine or its device failed. */
    boolean broke() {
        return broke;
    }

    /** Refuses new requests, and waits until those at hand have ended or, after a time, have been given back. */
    void drain() throws InterruptedException {
        draining = true;
        actor.tell(new WorkerProtocol.Drain(drainTimeout.toMillis()));
        var patience = drainTimeout.plus(leaving);
        if (!stopped.await(patience.toMillis(), TimeUnit.MILLISECONDS)) {
            LOG.warn("The worker is still at work {} s after it was to drain", patience.toSeconds());
        }
    }
}
