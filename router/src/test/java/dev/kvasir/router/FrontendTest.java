package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Failed;
import dev.kvasir.router.OutputEvent.Started;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FrontendTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    private TestCluster cluster = TestCluster.start("");

    @AfterEach
    void stop() {
        cluster.close();
    }

    private static RequestDraft draft() {
        return RequestDraft.of(TestModel.NAME, System.nanoTime()).prompt(new Prompt.Text("hello", true));
    }

    /** All events up to the last. */
    static List<OutputEvent> drain(ResponseStream response) {
        var events = new ArrayList<OutputEvent>();
        try (response) {
            do {
                events.add(response.take(SOON).orElseThrow(() -> new AssertionError("nothing after " + events)));
            } while (!events.getLast().isLast());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return events;
    }

    private static String text(List<OutputEvent> events, int output) {
        var text = new StringBuilder();
        for (var event : events) {
            if (event instanceof Delta delta && delta.outputIndex() == output) {
                text.append(delta.text());
            }
        }
        return text.toString();
    }

    private static Failure failure(List<OutputEvent> events) {
        assertThat(events.getLast()).isInstanceOf(Failed.class);
        return ((Failed) events.getLast()).failure();
    }

    @Test
    void aRouterInAMinorityTakesNothingNewAndSaysSo() {
        cluster.worker(StandInWorker.saying("x"));
        var status = cluster.frontend().status();
        status.isolated("this router reaches 1 of 3 members");
        assertThat(status.serving(TestModel.served())).isFalse();
        assertThatThrownBy(() -> cluster.submit(draft()))
                .isInstanceOfSatisfying(RequestFailedException.class, refused -> {
                    assertThat(refused.failure().kind()).isEqualTo(FailureKind.UNAVAILABLE);
                    assertThat(refused.failure().message()).contains("1 of 3 members");
                    assertThat(refused.failure().retryAfterMillis()).isPositive();
                });
        status.isolated("");
        drain(cluster.submit(draft()));
    }

    @Test
    void answerOfTheWorkerReachesTheDoor() {
        cluster.worker(StandInWorker.saying("The answer is 42."));
        var events = drain(cluster.submit(draft()));
        assertThat(events.getFirst()).isInstanceOf(Started.class);
        assertThat(text(events, 0)).isEqualTo("The answer is 42.");
        assertThat(events.getLast()).isInstanceOfSatisfying(Completed.class, c -> {
            assertThat(c.usage().cachedTokens()).isEqualTo(16);
            assertThat(c.usage().promptTokens()).isEqualTo(TestModel.tokens("hello").length);
        });
        cluster.awaitQuiet();
    }

    @Test
    void promptLogprobsComeBeforeTheFirstToken() {
        cluster.worker(StandInWorker.saying("x"));
        var response = cluster.submit(draft().promptLogprobs(2L).logprobs(3L));
        int prompt = response.request().generation().prompt().length;
        var events = drain(response);
        assertThat(events.getFirst())
                .isInstanceOfSatisfying(
                        Started.class, s -> assertThat(s.promptLogprobs()).hasSize(prompt - 1));
        assertThat(events.get(1))
                .isInstanceOfSatisfying(
                        Delta.class,
                        d -> assertThat(d.tokens().getFirst().topIds()).hasSize(3));
    }

    @Test
    void stopTextFreesTheWorkerToo() {
        cluster.worker(StandInWorker.babbling());
        var events = drain(cluster.submit(draft().stop(List.of("on and"))));
        assertThat(text(events, 0)).isEqualTo("and so ");
        cluster.awaitQuiet();
    }

    @Test
    void cancelFreesTheWorker() throws InterruptedException {
        cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        response.cancel();
        assertThat(failure(drain(response)).kind()).isEqualTo(FailureKind.CANCELLED);
        cluster.awaitQuiet();
    }

    @Test
    void closingBeforeTheEndFreesWorkerAndSlot() {
        cluster.worker(StandInWorker.babbling());
        cluster.submit(draft()).close();
        cluster.awaitQuiet();
    }

    @Test
    void deadlineEndsTheRequestAndFreesTheWorker() {
        cluster.worker(StandInWorker.babbling(), Duration.ofSeconds(1));
        var events = drain(cluster.frontend().submit(draft(), Optional.of(Duration.ofMillis(50))));
        assertThat(failure(events).kind()).isEqualTo(FailureKind.DEADLINE_EXCEEDED);
        assertThat(failure(events).message()).contains("50 ms");
        cluster.awaitQuiet();
    }

    @Test
    void readerThatTakesNothingIsCutAndTheWorkerFreed() {
        restart("slow-reader-timeout = 100 ms");
        cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        cluster.awaitIdleWorkers();
        assertThat(failure(drain(response)).message()).contains("read too slowly: nothing was read for");
        cluster.awaitQuiet();
    }

    @Test
    void moreTokensThanTheBufferHoldsCutTheReader() {
        restart("buffered-tokens-max = 16");
        cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        cluster.awaitIdleWorkers();
        assertThat(failure(drain(response)).message()).contains("17 tokens wait to be read (at most 16)");
    }

    @Test
    void lateReaderGetsEveryToken() {
        cluster.worker(StandInWorker.babbling(), Duration.ofMillis(1));
        try (var response = cluster.submit(draft().maxTokens(100L))) {
            cluster.awaitIdleWorkers();
            var events = drain(response);
            var tokens = events.stream()
                    .filter(Delta.class::isInstance)
                    .flatMap(e -> ((Delta) e).tokens().stream())
                    .map(ScoredToken::token)
                    .toList();
            assertThat(tokens).hasSize(100);
            assertThat(text(events, 0))
                    .isEqualTo(TestModel.TOKENIZER.decode(
                            tokens.stream().mapToInt(Integer::intValue).toArray(), true));
            assertThat(events).hasSizeLessThan(10);
            assertThat(events.getLast()).isInstanceOf(Completed.class);
        }
    }

    @Test
    void deathOfTheWorkerIsAnsweredClearly() throws InterruptedException {
        var worker = cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        StandInWorker.kill(worker.ref());
        var failure = failure(drain(response));
        assertThat(failure.kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(failure.message()).contains(worker.stand().description().address());
        assertThat(failure.retryAfterMillis()).isPositive();
    }

    @Test
    void deathOfAWorkerIsNotSeenByTheClientWhereAnotherCanGoOn() throws InterruptedException {
        var script = StandInWorker.saying("The answer is forty-two, as ever, and there is no other.");
        var first = cluster.worker(script, Duration.ofMillis(20));
        var response = cluster.submit(draft().n(2L).logprobs(1L));
        assertThat(response.take(SOON)).isPresent();
        var second =
                cluster.join(new StandInWorker(script, Duration.ofMillis(1), StandInWorker.description(2, "f00d")));
        cluster.awaitWorkers(2);
        StandInWorker.kill(first.ref());
        var events = drain(response);
        assertThat(text(events, 0)).isEqualTo("The answer is forty-two, as ever, and there is no other.");
        assertThat(text(events, 1)).isEqualTo(text(events, 0));
        assertThat(events.getLast()).isInstanceOf(Completed.class);
        assertThat(second.stand().seen()).isEqualTo(1);
    }

    @Test
    void aSilentWorkerLosesItsStreamsToAnotherAndItsLateWordsAreNotHeard() throws InterruptedException {
        var script = StandInWorker.saying("The answer is forty-two, as ever, and there is no other.");
        var first = cluster.worker(script, Duration.ofMillis(100));
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        cluster.join(new StandInWorker(script, Duration.ofMillis(30), StandInWorker.description(2, "f00d")));
        cluster.awaitWorkers(2);
        first.stand().fallSilent();
        var events = drain(response);
        assertThat(text(events, 0)).isEqualTo("The answer is forty-two, as ever, and there is no other.");
        cluster.awaitQuiet();
        for (int i = 0; i < 4; i++) {
            assertThat(text(drain(cluster.submit(draft())), 0)).startsWith("The answer");
        }
        // The other has been heard all the while.
        assertThat(first.stand().seen()).isEqualTo(1);
        assertThat(cluster.frontend().status().workers().stream().filter(w -> w.serving()))
                .hasSize(1);
    }

    @Test
    void drainingWorkerFinishesItsStreamsAndGetsNoNewOnes() throws InterruptedException {
        var worker = cluster.worker(StandInWorker.saying("until the end"), Duration.ofMillis(50));
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        worker.ref().tell(new WorkerProtocol.Drain(60_000));
        cluster.awaitNoneServing();
        assertThat(cluster.frontend().open()).isEqualTo(1);
        assertThat(failure(drain(cluster.submit(draft()))).kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(text(drain(response), 0)).isNotEmpty();
    }

    @Test
    void noWorkerIsAnsweredAtOnceWithTheReason() {
        var failure = failure(drain(cluster.submit(draft())));
        assertThat(failure.kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(failure.message()).contains(TestModel.NAME, "no worker has joined");
    }

    @Test
    void refusalOfTheWorkerReachesTheClientWithItsHint() {
        cluster.worker(StandInWorker.babbling());
        var failure = failure(drain(cluster.submit(draft().cacheSalt("refuse"))));
        assertThat(failure.kind()).isEqualTo(FailureKind.RESOURCE_EXHAUSTED);
        assertThat(failure.retryAfterMillis()).isEqualTo(250);
    }

    @Test
    void workersThatDifferFromTheFirstAreRefusedWithBothValues() {
        cluster.worker(StandInWorker.saying("x"));
        cluster.join(new StandInWorker(
                StandInWorker.saying("y"), Duration.ofMillis(1), StandInWorker.description(2, "beef")));
        cluster.awaitWorkers(2);
        var refused = cluster.frontend().status().workers().stream()
                .filter(w -> !w.serving())
                .toList();
        assertThat(refused).hasSize(1);
        assertThat(refused.getFirst().refusal()).contains("model fingerprint", "f00d", "beef");
        for (int i = 0; i < 10; i++) {
            assertThat(text(drain(cluster.submit(draft())), 0)).isEqualTo("x");
        }
    }

    @Test
    void requestsBeyondTheLimitAreRefusedAtOnce() {
        restart("concurrent-requests-max = 1");
        cluster.worker(StandInWorker.babbling());
        var first = cluster.submit(draft());
        assertThatThrownBy(() -> cluster.submit(draft()))
                .isInstanceOfSatisfying(
                        RequestFailedException.class,
                        e -> assertThat(e.failure().kind()).isEqualTo(FailureKind.RESOURCE_EXHAUSTED))
                .hasMessageContaining("1 requests");
        first.close();
        cluster.awaitQuiet();
        cluster.submit(draft()).close();
    }

    @Test
    void refusedRequestsGiveTheirSlotBack() {
        restart("concurrent-requests-max = 1");
        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> cluster.submit(draft().n(0L))).hasMessageContaining("n is 0");
        }
        assertThat(cluster.frontend().open()).isZero();
    }

    @Test
    void drainingRouterRefusesNewRequestsAndFinishesOldOnes() {
        cluster.worker(StandInWorker.saying("still here"));
        var old = cluster.submit(draft());
        cluster.frontend().drain();
        assertThatThrownBy(() -> cluster.submit(draft())).hasMessageContaining("draining");
        assertThat(text(drain(old), 0)).isEqualTo("still here");
    }

    @Test
    void unknownModelIsNotFoundAndItsNameCutShort() {
        assertThatThrownBy(() -> cluster.submit(RequestDraft.of("x".repeat(10_000), 0)))
                .isInstanceOfSatisfying(
                        RequestFailedException.class,
                        e -> assertThat(e.failure().kind()).isEqualTo(FailureKind.NOT_FOUND))
                .message()
                .hasSizeLessThan(120);
    }

    private void restart(String changes) {
        cluster.close();
        cluster = TestCluster.start(changes);
    }

    @Test
    void aRequestWhoseWorkerBrokeFailsAtOnceWhereTheProcessEndsAndNobodyElseCouldTakeIt() throws InterruptedException {
        cluster.close();
        cluster = TestCluster.patient();
        var worker = cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        StandInWorker.kill(worker.ref());
        cluster.awaitWorkers(0);
        cluster.frontend().workerBroke();
        var failure = failure(drain(response));
        assertThat(failure.kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(failure.message()).contains("stopped");
        assertThat(failure.retryAfterMillis()).isPositive();
    }

    @Test
    void aRequestThatWaitsForAWorkerGoesOnAtTheOneThatComes() throws InterruptedException {
        cluster.close();
        cluster = TestCluster.patient();
        var worker = cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        StandInWorker.kill(worker.ref());
        cluster.awaitWorkers(0);
        var other =
                new StandInWorker(StandInWorker.babbling(), Duration.ofMillis(1), StandInWorker.description(2, "f00d"));
        cluster.join(other);
        cluster.awaitWorking(other, 1);
        response.cancel();
        drain(response);
    }

    @Test
    void aProcessThatEndsStillGivesItsRequestsToWorkersOfOthers() throws InterruptedException {
        var broken = cluster.worker(StandInWorker.babbling());
        var response = cluster.submit(draft());
        assertThat(response.take(SOON)).isPresent();
        var other =
                new StandInWorker(StandInWorker.babbling(), Duration.ofMillis(1), StandInWorker.description(2, "f00d"));
        cluster.join(other);
        cluster.awaitWorkers(2);
        cluster.frontend().workerBroke();
        StandInWorker.kill(broken.ref());
        cluster.awaitWorking(other, 1);
        response.cancel();
        drain(response);
    }
}
