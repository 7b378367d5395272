package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.bench.FakeServer.Script;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class LoadGeneratorTest {
    private static final Script ECHO = (request, answer) -> {
        int promptTokens = request.path("prompt").size();
        answer.stream(promptTokens, promptTokens / 2, request.path("max_tokens").asInt());
    };

    private static Workload workload(int count) {
        return new Workload(count, new Lengths(20, 20), new Lengths(5, 5), 0, 0, 0, new Lengths(300, 999), false, 0);
    }

    private static Target target(FakeServer server, Duration timeout) {
        return new Target(new Server(server.url(), null, null), "fake", false, true, 0, "salt", timeout, null);
    }

    private static List<RequestResult> run(FakeServer server, int count, Schedule schedule)
            throws InterruptedException {
        return LoadGenerator.run(target(server, Duration.ofSeconds(20)), workload(count), schedule, Progress.silent());
    }

    @Test
    void everyRequestOfAClosedLoopIsAnsweredOnceAndCounted() throws Exception {
        try (var server = new FakeServer(ECHO)) {
            var results = run(server, 40, new Schedule.Closed(4));
            assertThat(results)
                    .extracting(RequestResult::index)
                    .isEqualTo(java.util.stream.IntStream.range(0, 40).boxed().toList());
            var summary = Summary.of(results, ServiceLevel.NONE);
            assertThat(summary.succeeded()).isEqualTo(40);
            assertThat(summary.inputTokens()).isEqualTo(800);
            assertThat(summary.outputTokens()).isEqualTo(200);
            assertThat(summary.cachedShare()).isEqualTo(0.5);
            assertThat(results).allSatisfy(result -> {
                assertThat(result.eventNanos()).hasSize(5).isSorted();
                assertThat(result.intendedNanos()).isLessThanOrEqualTo(result.sentNanos());
                assertThat(result.sentNanos()).isLessThan(result.eventNanos()[0]);
                assertThat(result.eventNanos()[4]).isLessThanOrEqualTo(result.endNanos());
            });
        }
    }

    @Test
    void requestsCarryWhatWasAskedFor() throws Exception {
        try (var server = new FakeServer(ECHO)) {
            run(server, 1, new Schedule.Closed(1));
            var request = server.requests.remove();
            assertThat(request.path("model").asText()).isEqualTo("fake");
            assertThat(request.path("prompt")).hasSize(20);
            assertThat(request.path("max_tokens").asInt()).isEqualTo(5);
            assertThat(request.path("ignore_eos").asBoolean()).isTrue();
            assertThat(request.path("stream_options").path("include_usage").asBoolean())
                    .isTrue();
            assertThat(request.path("cache_salt").asText()).isEqualTo("salt");
        }
    }

    @Test
    void aClosedLoopKeepsItsConcurrency() throws Exception {
        var inFlight = new AtomicInteger();
        var most = new AtomicInteger();
        var both = new CountDownLatch(3);
        Script counting = (request, answer) -> {
            most.accumulateAndGet(inFlight.incrementAndGet(), Math::max);
            both.countDown();
            await(both);
            inFlight.decrementAndGet();
            ECHO.answer(request, answer);
        };
        try (var server = new FakeServer(counting)) {
            run(server, 12, new Schedule.Closed(3));
        }
        assertThat(most).hasValue(3);
    }

    @Test
    void waitingAtTheClientCountsAsLatencyInAnOpenLoop() throws Exception {
        var release = new CountDownLatch(1);
        var first = new AtomicInteger();
        Script stuckOnce = (request, answer) -> {
            if (first.getAndIncrement() == 0) {
                // Holds the only slot until well after the second request was due.
                awaitMillis(release, 300);
            }
            ECHO.answer(request, answer);
        };
        try (var server = new FakeServer(stuckOnce)) {
            var results = run(server, 2, new Schedule.Open(Double.POSITIVE_INFINITY, 1, 1));
            var second = results.get(1);
            assertThat(second.sentNanos() - second.intendedNanos()).isGreaterThan(250_000_000L);
            assertThat(second.ttftMillis()).isGreaterThan(250);
        }
    }

    @Test
    void failuresAreCountedByKind() throws Exception {
        var turn = new AtomicInteger();
        Script failing = (request, answer) -> {
            switch (turn.getAndIncrement()) {
                case 0 -> answer.json(429, "{\"error\":{\"message\":\"queue full\"}}");
                case 1 -> {
                    answer.begin();
                    answer.event("{\"error\":{\"message\":\"worker lost\"}}");
                    answer.event("[DONE]");
                }
                case 2 -> {
                    answer.begin();
                    answer.event("{\"choices\":[{\"text\":\"x\"}]}");
                }
                default -> ECHO.answer(request, answer);
            }
        };
        try (var server = new FakeServer(failing)) {
            var results = run(server, 5, new Schedule.Closed(1));
            var summary = Summary.of(results, ServiceLevel.NONE);
            assertThat(summary.failures())
                    .isEqualTo(Map.of("HTTP 429", 1L, "error in stream", 1L, "broken stream", 1L));
            assertThat(summary.succeeded()).isEqualTo(2);
            assertThat(results.getFirst().failure()).isNotNull();
        }
    }

    @Test
    void aStreamThatNeverEndsTimesOut() throws Exception {
        var release = new CountDownLatch(1);
        Script hanging = (_, answer) -> {
            answer.begin();
            answer.event("{\"choices\":[{\"text\":\"x\"}]}");
            await(release);
        };
        try (var server = new FakeServer(hanging)) {
            var results = LoadGenerator.run(
                    target(server, Duration.ofMillis(200)), workload(1), new Schedule.Closed(1), Progress.silent());
            release.countDown();
            assertThat(Summary.of(results, ServiceLevel.NONE).failures()).isEqualTo(Map.of("timeout", 1L));
        }
    }

    @Test
    void aServerThatIsGoneIsNamed() throws Exception {
        Target gone;
        try (var server = new FakeServer(ECHO)) {
            gone = target(server, Duration.ofSeconds(5));
        }
        var results = LoadGenerator.run(gone, workload(1), new Schedule.Closed(1), Progress.silent());
        assertThat(Summary.of(results, ServiceLevel.NONE).failures()).isEqualTo(Map.of("no connection", 1L));
        assertThatThrownBy(() -> OpenAiClient.onlyModel(gone.server()))
                .isInstanceOf(BenchException.class)
                .hasMessageContaining("no server answers at http://127.0.0.1:");
    }

    private static void await(CountDownLatch latch) throws IOException {
        awaitMillis(latch, 10_000);
    }

    private static void awaitMillis(CountDownLatch latch, long millis) throws IOException {
        try {
            latch.await(millis, java.util.concurrent.TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }
}
