package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.Tenant;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class EngineTest {
    private static final int BLOCKS = 600;
    private final StandInRunner runner = new StandInRunner(BLOCKS, 4, 64);
    private final CountingObserver observer = new CountingObserver();
    private final EngineCore core = new EngineCore(settings(), runner, observer);
    private final AtomicReference<Throwable> broken = new AtomicReference<>();

    private static EngineSettings settings() {
        var limits = new SchedulerLimits(64, 8, 64, 4);
        return new EngineSettings("stand-in", 1, "print", "f32", 2_000, limits, 8, new int[] {0}, true, 1_000);
    }

    private static ActiveRequest request(String id, int maxTokens, StreamSink sink) {
        var sampling =
                new SamplingParameters(maxTokens, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
        var request = new GenerationRequest(new RequestId(id), "stand-in", new int[] {1, 2, 3}, sampling, "", 0);
        return new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink);
    }

    /** Keeps failures only; says when it ended. */
    private static final class Waiting implements StreamSink {
        final List<StreamEvent.Failed> failures = new ArrayList<>();
        final Semaphore ended = new Semaphore(0);

        @Override
        public void publish(StreamEvent event) {
            if (event instanceof StreamEvent.Failed failed) {
                failures.add(failed);
            }
        }

        @Override
        public void ended() {
            ended.release();
        }
    }

    private Engine started(int submissionsMax) {
        var engine = new Engine("test-engine", core, runner, observer, submissionsMax, System::nanoTime, broken::set);
        engine.start();
        return engine;
    }

    @Test
    void anIdleEngineSleepsAndWakesForARequest() throws InterruptedException {
        var engine = started(8);
        var first = new Waiting();
        engine.submit(request("first", 10, first));
        first.ended.acquire();
        var thread = Thread.getAllStackTraces().keySet().stream()
                .filter(candidate -> candidate.getName().equals("test-engine"))
                .findFirst()
                .orElseThrow();
        while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        var second = new Waiting();
        engine.submit(request("second", 10, second));
        second.ended.acquire();
        assertThat(second.failures).isEmpty();
        engine.stop();
        assertThat(engine.awaitEnd(10_000)).isTrue();
        assertThat(runner.isClosed()).isTrue();
    }

    @Test
    void stoppingFailsWhatIsAtHandAndAllThatComesLater() throws InterruptedException {
        var steps = new Semaphore(3);
        runner.stepOnlyWith(steps);
        var engine = started(8);
        var running = new Waiting();
        engine.submit(request("running", 500, running));
        engine.stop();
        steps.release(10);
        running.ended.acquire();
        assertThat(engine.awaitEnd(10_000)).isTrue();
        var late = new Waiting();
        engine.submit(request("late", 5, late));
        late.ended.acquire();
        assertThat(List.of(running.failures.getFirst(), late.failures.getFirst()))
                .allSatisfy(failed -> assertThat(failed.kind()).isEqualTo(FailureKind.UNAVAILABLE));
        assertThat(broken.get()).isNull();
    }

    @Test
    void aFullQueueOfNewRequestsIsAnsweredAtOnce() throws InterruptedException {
        var steps = new Semaphore(0);
        runner.stepOnlyWith(steps);
        var engine = started(2);
        var sinks = new ArrayList<Waiting>();
        for (int i = 0; i < 12; i++) {
            sinks.add(new Waiting());
            engine.submit(request("request-" + i, 5, sinks.getLast()));
            while (!steps.hasQueuedThreads()) {
                Thread.onSpinWait(); // Until the engine is in its first step, and takes nobody in.
            }
        }
        assertThat(sinks.getLast().failures).singleElement().satisfies(failed -> {
            assertThat(failed.kind()).isEqualTo(FailureKind.RESOURCE_EXHAUSTED);
            assertThat(failed.retryAfterMillis()).isPositive();
        });
        steps.release(1_000);
        for (var sink : sinks) {
            sink.ended.acquire();
        }
        engine.stop();
        assertThat(engine.awaitEnd(10_000)).isTrue();
    }

    @Test
    void requestsOfDifferentSaltsShareNoBlocks() {
        assertThat(cachedTokens("first", "a")).isZero();
        assertThat(cachedTokens("second", "b")).isZero();
        assertThat(cachedTokens("third", "a")).isEqualTo(36);
    }

    @Test
    void anIsolatedTenantSharesNoBlocksAndOthersDo() {
        assertThat(cachedTokens("nobody", "", Tenant.NONE)).isZero();
        assertThat(cachedTokens("open", "", Tenant.of("open", false))).isEqualTo(36);
        assertThat(cachedTokens("first", "", Tenant.of("a", true))).isZero();
        assertThat(cachedTokens("second", "", Tenant.of("b", true))).isZero();
        assertThat(cachedTokens("third", "", Tenant.of("a", true))).isEqualTo(36);
        assertThat(cachedTokens("salted", "a", Tenant.NONE)).isZero();
    }

    @Test
    void aTenantWithManyWaitingGivesPlacesInAFullQueueToOneWithFew() {
        var flood = new ArrayList<RecordingSink>();
        for (int i = 0; i < 20; i++) {
            flood.add(submit("flood-" + i, "flood"));
        }
        assertThat(flood.stream().filter(sink -> sink.failed != null)).hasSize(4);
        var few = new ArrayList<RecordingSink>();
        for (int i = 0; i < 8; i++) {
            few.add(submit("few-" + i, "few"));
        }
        assertThat(few.stream().filter(sink -> sink.failed == null)).hasSize(8);
        assertThat(submit("few-9", "few").failed).isNotNull();
        assertThat(flood.stream().filter(sink -> sink.failed != null))
                .hasSize(12)
                .allSatisfy(sink -> {
                    assertThat(Objects.requireNonNull(sink.failed).kind()).isEqualTo(FailureKind.RESOURCE_EXHAUSTED);
                    assertThat(Objects.requireNonNull(sink.failed).retryAfterMillis())
                            .isPositive();
                });
        while (!core.isIdle()) {
            core.step(0);
        }
        assertThat(few).allSatisfy(sink -> assertThat(sink.finished).hasSize(1));
    }

    private RecordingSink submit(String id, String tenant) {
        var sink = new RecordingSink();
        var request = new GenerationRequest(
                new RequestId(id),
                "stand-in",
                new int[40],
                SamplingParameters.greedy(1),
                "",
                0,
                Tenant.of(tenant, false));
        core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), 0);
        return sink;
    }

    private int cachedTokens(String id, String salt) {
        return cachedTokens(id, salt, Tenant.NONE);
    }

    private int cachedTokens(String id, String salt, Tenant tenant) {
        var sink = new RecordingSink();
        var request = new GenerationRequest(
                new RequestId(id), "stand-in", new int[40], SamplingParameters.greedy(1), salt, 0, tenant);
        core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), 0);
        while (!core.isIdle()) {
            core.step(0);
        }
        return sink.cachedTokens;
    }

    @Test
    void aStepAllocatesLittleMoreThanItsEvents() {
        var sink = new Waiting();
        for (int i = 0; i < 4; i++) {
            core.submit(request("request-" + i, 1_500, sink), 0);
        }
        for (int step = 0; step < 1_000; step++) {
            core.step(step);
        }
        var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int step = 0; step < 400; step++) {
            core.step(1_000 + step);
        }
        long bytes = (threads.getCurrentThreadAllocatedBytes() - before) / (400 * 4);
        // Two records and a list of one for the event; a hash for each block of 4 tokens; views of the plan's lists.
        assertThat(bytes).as("bytes per token").isLessThan(400);
    }
}
