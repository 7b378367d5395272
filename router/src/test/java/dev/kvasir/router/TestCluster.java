package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.WorkerProtocol;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;

/** A router and stand-in workers in one actor system. */
public final class TestCluster implements AutoCloseable {
    private static final Duration SOON = Duration.ofSeconds(10);

    private final ActorTestKit kit;
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Frontend frontend;
    private final List<StandInWorker> workers = new ArrayList<>();

    /** A worker and how to reach it. */
    public record Joined(StandInWorker stand, ActorRef<WorkerProtocol.Command> ref) {}

    private TestCluster(String changes, Duration workerWait) {
        kit = ActorTestKit.create();
        frontend = Frontend.start(
                kit.system(),
                RouterConfig.from(RouterConfigTest.section(changes)),
                new MigrationConfig(Duration.ofSeconds(1), workerWait, 3, Duration.ofMillis(500)),
                List.of(TestModel.served()),
                registry);
    }

    /** Starts a router with some settings changed, and no worker. */
    public static TestCluster start(String changes) {
        return new TestCluster(changes, Duration.ofMillis(300));
    }

    /** The same, whose requests wait for workers for as long as a test may take. */
    public static TestCluster patient() {
        return new TestCluster("", Duration.ofMinutes(5));
    }

    public Frontend frontend() {
        return frontend;
    }

    public PrometheusRegistry registry() {
        return registry;
    }

    public ResponseStream submit(RequestDraft draft) {
        return frontend.submit(draft, Optional.empty());
    }

    public Joined worker(StandInWorker.Script script) {
        return worker(script, Duration.ofMillis(1));
    }

    /** Adds a worker and waits until it serves. */
    public Joined worker(StandInWorker.Script script, Duration tick) {
        var joined = join(new StandInWorker(script, tick));
        await(() -> assertThat(frontend.status().serving(frontend.model(TestModel.NAME)))
                .isTrue());
        return joined;
    }

    /** Adds a worker. */
    public Joined join(StandInWorker worker) {
        workers.add(worker);
        return new Joined(worker, kit.spawn(worker.behavior()));
    }

    public void awaitWorkers(int count) {
        await(() -> assertThat(frontend.status().workers()).hasSize(count));
    }

    /** Waits until no worker gets requests. */
    public void awaitNoneServing() {
        await(() -> assertThat(frontend.status().workers())
                .noneMatch(worker -> worker.refusal().isEmpty()));
    }

    /** Waits until no worker has a request. */
    public void awaitIdleWorkers() {
        await(() -> {
            assertThat(workers.stream().anyMatch(w -> w.seen() > 0)).isTrue();
            assertThat(workers).allSatisfy(w -> assertThat(w.working()).isEmpty());
        });
    }

    /** Waits until a worker is working on so many requests. */
    public void awaitWorking(StandInWorker worker, int count) {
        await(() -> assertThat(worker.working()).hasSize(count));
    }

    /** Waits until nothing of any request is left anywhere. */
    public void awaitQuiet() {
        await(() -> {
            assertThat(workers).allSatisfy(w -> assertThat(w.working()).isEmpty());
            assertThat(frontend.open()).isZero();
        });
    }

    private void await(Runnable assertion) {
        kit.createTestProbe().awaitAssert(SOON, Duration.ofMillis(5), () -> {
            assertion.run();
            return true;
        });
    }

    @Override
    public void close() {
        kit.shutdownTestKit();
    }
}
