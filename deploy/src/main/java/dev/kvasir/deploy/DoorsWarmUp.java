package dev.kvasir.deploy;

import dev.kvasir.router.Frontend;
import dev.kvasir.router.ServedModel;
import dev.kvasir.router.grpc.GrpcServer;
import dev.kvasir.router.http.HttpServer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the JVM compile the way of a request through doors, router and worker before the first one comes: real requests
 * through doors of its own, a router and a worker of its own whose model answers at once, in an actor system of its own. They share
 * code, tokenizer and template with those that serve, and nothing else: no cache, metric, key, tenant or log of theirs.
 *
 * <p>Where there are processors to spare it runs beside the start of the member, and the start waits for it in {@link #await}, a
 * bounded time; on a small machine, where requests would only slow the rest, they are sent within that time alone. Its threads are
 * daemons. What goes wrong here harms nobody.
 */
final class DoorsWarmUp {
    private static final Logger LOG = LoggerFactory.getLogger(DoorsWarmUp.class);
    private static final int CLIENTS_MAX = 4;
    /** Fewer processors have enough to do with loading and warming up a model. */
    private static final int PROCESSORS_TO_SPARE = 6;

    /** Part of the time that is for closing doors and actors. */
    private static final int CLOSING_SHARE = 4;

    private static final Duration WORKER_TIMEOUT = Duration.ofSeconds(30);

    private final DoorsWarmUpConfig config;
    private final AtomicInteger answered = new AtomicInteger();
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch done = new CountDownLatch(1);
    private final CountDownLatch mayAsk = new CountDownLatch(1);
    private volatile boolean enough;

    private DoorsWarmUp(DoorsWarmUpConfig config) {
        this.config = config;
    }

    /** Of a process without doors. */
    static DoorsWarmUp none() {
        return new DoorsWarmUp(new DoorsWarmUpConfig(Duration.ZERO, 0));
    }

    /** Begins, where the settings want it, and returns at once. */
    static DoorsWarmUp begin(KvasirConfig config, ServedModel model) {
        var warmUp = new DoorsWarmUp(config.doorsWarmUp());
        if (config.doorsWarmUp().isWanted()) {
            if (Runtime.getRuntime().availableProcessors() >= PROCESSORS_TO_SPARE) {
                warmUp.mayAsk.countDown();
            }
            Thread.ofPlatform().daemon().name(WarmUpCast.SYSTEM).start(() -> warmUp.run(config, model));
        }
        return warmUp;
    }

    /** Waits until all requests were answered, as long as the settings allow, and ends it; once. */
    void await(StartReport report) throws InterruptedException {
        if (!config.isWanted()) {
            return;
        }
        long start = System.nanoTime();
        mayAsk.countDown();
        long most = config.timeout().toMillis();
        boolean all = asked.await(most - most / CLOSING_SHARE, TimeUnit.MILLISECONDS);
        end();
        // Its end should not be in the way of the first client.
        if (!done.await(most / CLOSING_SHARE, TimeUnit.MILLISECONDS)) {
            LOG.debug("The doors of the warm-up close later");
        }
        var what = "warmed up the doors with %d requests%s".formatted(answered.get(), all ? "" : ", as time allowed");
        report.stage(what, System.nanoTime() - start);
    }

    /** Ends it, if it goes on. */
    void end() {
        enough = true;
        mayAsk.countDown();
    }

    private void run(KvasirConfig config, ServedModel model) {
        try {
            rehearse(config, model);
        } catch (RuntimeException e) {
            LOG.debug("The doors were not warmed up", e);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } finally {
            asked.countDown();
            done.countDown();
        }
    }

    private void rehearse(KvasirConfig config, ServedModel model) throws InterruptedException {
        var cast = new WarmUpCast(config, model);
        var system = cast.system();
        try {
            system.systemActorOf(cast.worker(), "kvasir-worker", Props.empty());
            open(cast, system, model);
        } finally {
            system.terminate();
            system.getWhenTerminated().toCompletableFuture().join();
        }
    }

    private void open(WarmUpCast cast, ActorSystem<Void> system, ServedModel model) throws InterruptedException {
        var registry = new PrometheusRegistry();
        var frontend = cast.frontend(system, registry);
        try (var grpc = GrpcServer.start(frontend);
                var http = HttpServer.start(frontend, registry, Version.current(), Clock.systemUTC())) {
            awaitWorker(frontend, model);
            mayAsk.await();
            var threads = new Thread[Math.clamp(Runtime.getRuntime().availableProcessors() / 2, 1, CLIENTS_MAX)];
            for (int i = 0; i < threads.length; i++) {
                var client = new WarmUpClient(model, cast.longPrompt(), http.port(), grpc.port(), i);
                threads[i] = Thread.ofVirtual()
                        .name(WarmUpCast.SYSTEM + "-client-" + i)
                        .start(() -> ask(client));
            }
            for (var thread : threads) {
                thread.join();
            }
            asked.countDown();
        }
    }

    private void ask(WarmUpClient client) {
        try (client) {
            while (!enough && answered.get() < config.requests()) {
                client.ask();
                answered.incrementAndGet();
            }
        } catch (RuntimeException | IOException e) {
            LOG.debug("A client of the doors' warm-up ended early", e);
        }
    }

    private static void awaitWorker(Frontend frontend, ServedModel model) throws InterruptedException {
        var serving = new CountDownLatch(1);
        frontend.status().onChange(status -> {
            if (status.serving(model)) {
                serving.countDown();
            }
        });
        if (!serving.await(WORKER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException("the warm-up's own worker does not serve");
        }
    }
}
