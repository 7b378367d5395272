package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.engine.StandInModel;
import dev.kvasir.worker.engine.StandInRunner;
import dev.kvasir.worker.schedule.SchedulerLimits;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.function.Predicate;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.FishingOutcomes;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WorkerTest {
    private static final int LENGTH_MAX = 200;
    private static final int BLOCKS = 64;
    private static final String ROUTER = "router#1";
    private static final Duration SOON = Duration.ofSeconds(20);

    private final ActorTestKit kit = ActorTestKit.create("worker-test");
    private final StandInRunner runner = new StandInRunner(BLOCKS, 4, 64);
    private final Semaphore steps = new Semaphore(0);
    private int requests;
    private StreamSettings settings = new StreamSettings(
            Duration.ofHours(1), Duration.ofSeconds(30), Duration.ofSeconds(60), Duration.ZERO, 16, 1 << 20);

    @AfterEach
    void stop() {
        steps.release(1_000_000);
        kit.shutdownTestKit();
    }

    private ActorRef<WorkerProtocol.Command> worker(int sequencesMax, int waitingMax) {
        var worker = kit.spawn(Worker.create(
                () -> model(sequencesMax, waitingMax),
                new WorkerMetrics(new PrometheusRegistry(), "stand-in"),
                settings));
        barrier(worker);
        return worker;
    }

    private LoadedModel model(int sequencesMax, int waitingMax) {
        var settings = new EngineSettings(
                "stand-in",
                7,
                "print",
                "f32",
                LENGTH_MAX,
                new SchedulerLimits(64, sequencesMax, 64, 4),
                waitingMax,
                new int[] {StandInModel.END},
                true,
                1_000_000_000);
        var description = new WorkerProtocol.Description(
                WorkerProtocol.VERSION,
                "local",
                7,
                "stand-in",
                "none",
                "print",
                4,
                BLOCKS,
                LENGTH_MAX,
                97,
                1,
                "f32",
                "none",
                "exact");
        return new LoadedModel(description, settings, runner);
    }

    private RequestId id() {
        return new RequestId("request-" + requests++);
    }

    private GenerationRequest request(SamplingParameters sampling, int... prompt) {
        return new GenerationRequest(id(), "stand-in", prompt, sampling, "", 0);
    }

    private static SamplingParameters endless(int maxTokens) {
        return new SamplingParameters(maxTokens, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
    }

    private TestProbe<StreamEvent> send(
            ActorRef<WorkerProtocol.Command> worker, GenerationRequest request, long deadlineMillis) {
        var probe = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Generate(
                request, Continuation.fresh(1), ByteString.EMPTY, ROUTER, deadlineMillis, events(probe)));
        return probe;
    }

    /** Takes deliveries for a probe of their events. */
    private ActorRef<Delivery> events(TestProbe<StreamEvent> probe) {
        return kit.spawn(Behaviors.receiveMessage(delivery -> {
            if (delivery instanceof Delivery.Event event) {
                probe.ref().tell(event.event());
            }
            return Behaviors.same();
        }));
    }

    private static <T extends StreamEvent> T expect(TestProbe<StreamEvent> probe, Class<T> type) {
        return type.cast(probe.receiveMessage(SOON));
    }

    /** Waits until the worker says that it has nothing to do and all blocks are free. */
    private void awaitIdle(ActorRef<WorkerProtocol.Command> worker) {
        awaitLoad(
                worker,
                report -> report.runningSequences() == 0
                        && report.waitingSequences() == 0
                        && report.freeBlocks() == BLOCKS);
    }

    private void awaitLoad(ActorRef<WorkerProtocol.Command> worker, Predicate<WorkerProtocol.LoadReport> wanted) {
        var probe = kit.<WorkerProtocol.LoadReport>createTestProbe();
        worker.tell(new WorkerProtocol.Subscribe(probe.getRef()));
        probe.fishForMessage(
                SOON, report -> wanted.test(report) ? FishingOutcomes.complete() : FishingOutcomes.continueAndIgnore());
        probe.stop();
    }

    @Test
    void sixtyFourConcurrentRequestsAnswerAsEachWouldAlone() {
        var worker = worker(16, 64);
        var random = new Random(64);
        var sent = new HashMap<GenerationRequest, TestProbe<StreamEvent>>();
        for (int i = 0; i < 64; i++) {
            int outputs = i % 7 == 0 ? 3 : 1;
            var sampling = new SamplingParameters(
                    random.nextInt(1, 40),
                    0,
                    i % 2,
                    1,
                    0,
                    0,
                    1,
                    0,
                    0,
                    Map.of(),
                    Set.of(),
                    i % 3 == 0,
                    i,
                    outputs,
                    -1,
                    -1);
            var prompt = random.ints(random.nextInt(1, 100), 1, 4).toArray();
            var request = request(sampling, prompt);
            sent.put(request, send(worker, request, 0));
        }
        sent.forEach((request, probe) ->
                assertThat(outputs(probe, request.sampling().n())).isEqualTo(expected(request)));
        awaitIdle(worker);
    }

    private static Map<Integer, List<Integer>> expected(GenerationRequest request) {
        var outputs = new HashMap<Integer, List<Integer>>();
        for (int i = 0; i < request.sampling().n(); i++) {
            outputs.put(i, StandInModel.output(request.prompt(), request.sampling(), i, LENGTH_MAX));
        }
        return outputs;
    }

    private static Map<Integer, List<Integer>> outputs(TestProbe<StreamEvent> probe, int n) {
        expect(probe, StreamEvent.Accepted.class);
        var outputs = new HashMap<Integer, List<Integer>>();
        for (int finished = 0; finished < n; ) {
            switch (probe.receiveMessage(SOON)) {
                case StreamEvent.Tokens tokens ->
                    outputs.computeIfAbsent(tokens.outputIndex(), _ -> new ArrayList<>())
                            .addAll(tokens.tokens().stream()
                                    .map(ScoredToken::token)
                                    .toList());
                case StreamEvent.Finished _ -> finished++;
                case StreamEvent.Accepted _ -> {} // Said again when a stopped request goes on.
                case StreamEvent other -> throw new AssertionError(other);
            }
        }
        return outputs;
    }

    @Test
    void aCancelledRequestGivesItsBlocksBackBeforeTheNextStep() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(100), 1, 2, 3);
        var probe = send(worker, request, 0);
        steps.release(2);
        expect(probe, StreamEvent.Accepted.class);
        expect(probe, StreamEvent.Tokens.class);
        expect(probe, StreamEvent.Tokens.class);
        worker.tell(new WorkerProtocol.Cancel(request.id(), 1, OptionalInt.empty()));
        barrier(worker);
        steps.release(1);
        awaitIdle(worker);
        steps.release(10);
        probe.expectNoMessage(Duration.ofMillis(100));
    }

    /** All that was told to the worker before has been handled. */
    private void barrier(ActorRef<WorkerProtocol.Command> worker) {
        var probe = kit.<WorkerProtocol.Description>createTestProbe();
        worker.tell(new WorkerProtocol.Describe(probe.getRef()));
        probe.receiveMessage(SOON);
    }

    @Test
    void aRequestWhoseRouterFallsSilentStopsAndCanBeClaimedByAnotherWithEveryTokenOnce() {
        settings = new StreamSettings(
                Duration.ofMillis(200),
                Duration.ofSeconds(30),
                Duration.ofSeconds(60),
                Duration.ofSeconds(60),
                16,
                1 << 20);
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(60), 1, 2, 3);
        var orphan = send(worker, request, 0);
        steps.release(10);
        expect(orphan, StreamEvent.Accepted.class);
        for (int i = 0; i < 10; i++) {
            expect(orphan, StreamEvent.Tokens.class);
        }
        // Nobody renews; steps go on one by one until the lease has ended and the blocks are free.
        awaitLoad(worker, report -> {
            if (report.runningSequences() > 0) {
                steps.release();
            }
            return report.runningSequences() == 0 && report.freeBlocks() == BLOCKS;
        });
        steps.release(1_000);
        var found = kit.<WorkerProtocol.Found>createTestProbe();
        worker.tell(new WorkerProtocol.Find(request.id(), found.ref()));
        var known = found.receiveMessage(SOON).known().orElseThrow();
        assertThat(known.attempt()).isEqualTo(1);
        assertThat(known.complete()).isTrue();
        assertThat(known.request().prompt()).isEqualTo(request.prompt());
        long attempt = Attempt.resumed(known.attempt());
        var heir = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Claim(request.id(), attempt, "router#2", 0, events(heir)));
        assertThat(outputs(heir, 1)).isEqualTo(expected(request));
        // All is said, and still there for a while; an attempt that is not higher is refused.
        var late = kit.<Delivery>createTestProbe();
        worker.tell(new WorkerProtocol.Claim(request.id(), attempt, "router#3", 0, late.ref()));
        assertThat(late.receiveMessage(SOON)).isEqualTo(new Delivery.Superseded(request.id(), attempt));
        var again = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Claim(request.id(), Attempt.resumed(attempt), "router#3", 0, events(again)));
        assertThat(outputs(again, 1)).isEqualTo(expected(request));
    }

    @Test
    void aClaimMidStreamEndsTheOlderStreamAndLosesNothing() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(40), 1, 2, 3);
        var old = kit.<Delivery>createTestProbe();
        worker.tell(
                new WorkerProtocol.Generate(request, Continuation.fresh(1), ByteString.EMPTY, ROUTER, 0, old.ref()));
        steps.release(5);
        for (int i = 0; i < 6; i++) {
            assertThat(old.receiveMessage(SOON)).isInstanceOf(Delivery.Event.class);
        }
        var heir = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Claim(request.id(), 2, "router#2", 0, events(heir)));
        assertThat(old.receiveMessage(SOON)).isEqualTo(new Delivery.Superseded(request.id(), 1));
        steps.release(1_000);
        assertThat(outputs(heir, 1)).isEqualTo(expected(request));
        old.expectNoMessage(Duration.ofMillis(50));
        awaitIdle(worker);
    }

    @Test
    void aRequestThatGoesOnHereSaysOnlyWhatIsNewAndAHigherAttemptReplacesALower() {
        var worker = worker(4, 4);
        var request = request(endless(30), 1, 2, 3);
        var whole = Objects.requireNonNull(expected(request).get(0));
        int[] known = whole.stream().limit(12).mapToInt(Integer::intValue).toArray();
        var first = send(worker, request, 0);
        assertThat(outputs(first, 1).get(0)).isEqualTo(whole);
        var probe = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Generate(
                request,
                new Continuation(5, 3, true, List.of(new Continuation.Known(known, false))),
                ByteString.EMPTY,
                ROUTER,
                0,
                events(probe)));
        assertThat(outputs(probe, 1).get(0)).isEqualTo(whole.subList(12, 30));
        var unknown = kit.<Delivery>createTestProbe();
        worker.tell(new WorkerProtocol.Again(request.id(), 9, List.of(12), true, unknown.ref()));
        assertThat(unknown.receiveMessage(SOON)).isEqualTo(new Delivery.Unknown(request.id(), 9));
        var again = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Again(request.id(), 5, List.of(20), true, events(again)));
        assertThat(outputs(again, 1).get(0)).isEqualTo(whole.subList(20, 30));
    }

    @Test
    void aRouterThatRenewsHearsThatTheWorkerLivesAndWhatRunsForIt() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(40), 1, 2, 3);
        expect(send(worker, request, 0), StreamEvent.Accepted.class);
        var alive = kit.<WorkerProtocol.Alive>createTestProbe();
        worker.tell(new WorkerProtocol.Renew(ROUTER, 8, true, alive.ref()));
        var first = alive.receiveMessage(SOON);
        assertThat(first.incarnation()).isEqualTo(7);
        assertThat(first.sequence()).isEqualTo(8);
        assertThat(first.stuck()).isFalse();
        assertThat(first.running()).containsExactly(new WorkerProtocol.Running(request.id(), 1));
        worker.tell(new WorkerProtocol.Renew("router#2", 9, true, alive.ref()));
        assertThat(alive.receiveMessage(SOON).running()).isEmpty();
    }

    @Test
    void aDrainingWorkerWaitsForWhoeverResumesTheRequestOfARouterThatFellSilent() {
        settings = new StreamSettings(
                Duration.ofMillis(200),
                Duration.ofSeconds(30),
                Duration.ofSeconds(60),
                Duration.ofSeconds(60),
                16,
                1 << 20);
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(60), 1, 2, 3);
        var orphan = send(worker, request, 0);
        steps.release(10);
        expect(orphan, StreamEvent.Accepted.class);
        for (int i = 0; i < 10; i++) {
            expect(orphan, StreamEvent.Tokens.class);
        }
        worker.tell(new WorkerProtocol.Drain(60_000));
        awaitLoad(worker, report -> {
            steps.release();
            return report.runningSequences() == 0;
        });
        steps.release(1_000);
        var found = kit.<WorkerProtocol.Found>createTestProbe();
        worker.tell(new WorkerProtocol.Find(request.id(), found.ref()));
        long attempt =
                Attempt.resumed(found.receiveMessage(SOON).known().orElseThrow().attempt());
        var heir = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Claim(request.id(), attempt, "router#2", 0, events(heir)));
        assertThat(outputs(heir, 1)).isEqualTo(expected(request));
        worker.tell(new WorkerProtocol.Cancel(request.id(), attempt, OptionalInt.empty()));
        kit.createTestProbe().expectTerminated(worker, SOON);
    }

    @Test
    void aClaimThatComesTwiceEndsNothing() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(40), 1, 2, 3);
        send(worker, request, 0);
        var heir = kit.<Delivery>createTestProbe();
        for (int i = 0; i < 2; i++) {
            worker.tell(new WorkerProtocol.Claim(request.id(), 2, "router#2", 0, heir.ref()));
        }
        barrier(worker);
        steps.release(1_000);
        for (var delivery = heir.receiveMessage(SOON); !isEnd(delivery); delivery = heir.receiveMessage(SOON)) {
            assertThat(delivery).isInstanceOf(Delivery.Event.class);
        }
    }

    private static boolean isEnd(Delivery delivery) {
        return delivery instanceof Delivery.Event event && event.event() instanceof StreamEvent.Finished;
    }

    @Test
    void aDrainingWorkerDoesNotWaitForEver() {
        settings = new StreamSettings(
                Duration.ofMillis(200),
                Duration.ofSeconds(30),
                Duration.ofSeconds(60),
                Duration.ofMillis(300),
                16,
                1 << 20);
        var worker = worker(4, 4);
        var answered = send(worker, request(endless(5), 1, 2, 3), 0);
        outputs(answered, 1);
        worker.tell(new WorkerProtocol.Drain(60_000));
        kit.createTestProbe().expectTerminated(worker, SOON);
    }

    @Test
    void whatStillRunsWhenADrainIsOverIsGivenBack() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var probe = send(worker, request(endless(150), 1, 2), 0);
        expect(probe, StreamEvent.Accepted.class);
        worker.tell(new WorkerProtocol.Drain(0));
        var failed = firstFailure(probe);
        assertThat(failed.kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(failed.message()).isEqualTo("the worker is draining");
        steps.release(10);
        kit.createTestProbe().expectTerminated(worker, SOON);
    }

    @Test
    void aRequestFailsAtItsDeadline() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var late = send(worker, request(endless(150), 1, 2, 3), 1);
        kit.createTestProbe().expectNoMessage(Duration.ofMillis(20));
        steps.release(1_000);
        var failed = (StreamEvent.Failed) late.fishForMessage(
                        SOON,
                        event -> event instanceof StreamEvent.Failed
                                ? FishingOutcomes.complete()
                                : FishingOutcomes.continueAndIgnore())
                .getLast();
        assertThat(failed.kind()).isEqualTo(FailureKind.DEADLINE_EXCEEDED);
        awaitIdle(worker);
    }

    @Test
    void overloadIsRefusedAtOnceWithAHintWhenToRetry() {
        runner.stepOnlyWith(steps);
        var worker = worker(1, 2);
        var first = send(worker, request(endless(20), 1), 0);
        expect(first, StreamEvent.Accepted.class);
        var probes = new ArrayList<TestProbe<StreamEvent>>();
        for (int i = 0; i < 8; i++) {
            probes.add(send(worker, request(endless(5), 1), 0));
        }
        steps.release(10_000);
        int refused = 0;
        for (var probe : probes) {
            switch (probe.receiveMessage(SOON)) {
                case StreamEvent.Failed failed -> {
                    assertThat(failed.kind()).isEqualTo(FailureKind.RESOURCE_EXHAUSTED);
                    assertThat(failed.retryAfterMillis()).isPositive();
                    refused++;
                }
                case StreamEvent.Accepted _ -> {}
                case StreamEvent other -> throw new AssertionError(other);
            }
        }
        assertThat(refused).isBetween(1, 6);
        awaitIdle(worker);
    }

    @Test
    void whatCanNeverFitIsRefusedWithTheNumbers() {
        var worker = worker(4, 4);
        assertThat(failure(worker, request(endless(150), new int[60])).message())
                .isEqualTo("prompt of 60 tokens and max_tokens of 150 are 210 tokens but the context length is 200");
        assertThat(failure(worker, request(endless(1), 5, 97)).message())
                .isEqualTo("prompt[1] is 97 but must be in the vocabulary, [0, 97)");
        var foreign = new GenerationRequest(id(), "other", new int[] {1}, endless(1), "", 0);
        assertThat(failure(worker, foreign).kind()).isEqualTo(FailureKind.NOT_FOUND);
    }

    private StreamEvent.Failed failure(ActorRef<WorkerProtocol.Command> worker, GenerationRequest request) {
        return expect(send(worker, request, 0), StreamEvent.Failed.class);
    }

    @Test
    void unusableLogitsFailOneRequestAlone() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var sick = send(worker, request(endless(5), 1, StandInModel.POISON), 0);
        var sound = request(endless(30), 1, 2, 3, 4);
        var probe = send(worker, sound, 0);
        expect(sick, StreamEvent.Accepted.class);
        steps.release(1_000);
        var failed = expect(sick, StreamEvent.Failed.class);
        assertThat(failed.kind()).isEqualTo(FailureKind.INTERNAL);
        assertThat(failed.message()).isEqualTo("logits are NaN");
        assertThat(outputs(probe, 1)).isEqualTo(expected(sound));
        awaitIdle(worker);
    }

    @Test
    void aBrokenEngineFailsAllItsRequestsAndStopsTheWorker() throws Exception {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var first = send(worker, request(endless(50), 1), 0);
        var second = send(worker, request(endless(50), 2), 0);
        expect(first, StreamEvent.Accepted.class);
        runner.breakDown();
        steps.release(10);
        assertThat(firstFailure(first).kind()).isEqualTo(FailureKind.UNAVAILABLE);
        assertThat(firstFailure(second).message()).contains("the device is gone");
        kit.createTestProbe().expectTerminated(worker, SOON);
    }

    private static StreamEvent.Failed firstFailure(TestProbe<StreamEvent> probe) {
        while (true) {
            if (probe.receiveMessage(SOON) instanceof StreamEvent.Failed failed) {
                return failed;
            }
        }
    }

    @Test
    void aDrainingWorkerFinishesWhatItHasRefusesTheRestAndStops() {
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(10), 1, 2);
        var probe = send(worker, request, 0);
        barrier(worker);
        var reports = kit.<WorkerProtocol.LoadReport>createTestProbe();
        worker.tell(new WorkerProtocol.Subscribe(reports.getRef()));
        assertThat(reports.receiveMessage(SOON).draining()).isFalse();
        worker.tell(new WorkerProtocol.Drain(60_000));
        assertThat(failure(worker, request(endless(1), 1)).kind()).isEqualTo(FailureKind.UNAVAILABLE);
        steps.release(100);
        assertThat(outputs(probe, 1)).isEqualTo(expected(request));
        kit.createTestProbe().expectTerminated(worker, SOON);
        var last = reports.receiveMessage(SOON);
        while (!last.draining()) {
            last = reports.receiveMessage(SOON);
        }
        assertThat(last.incarnation()).isEqualTo(7);
    }

    @Test
    void epochsOfLoadReportsRise() {
        var worker = worker(4, 4);
        var reports = kit.<WorkerProtocol.LoadReport>createTestProbe();
        worker.tell(new WorkerProtocol.Subscribe(reports.getRef()));
        long epoch = reports.receiveMessage(SOON).epoch();
        runner.stepOnlyWith(steps);
        var probe = send(worker, request(endless(10), 1, 2), 0);
        expect(probe, StreamEvent.Accepted.class);
        var loaded = reports.receiveMessage(SOON);
        assertThat(loaded.epoch()).isGreaterThan(epoch);
        assertThat(loaded.runningSequences() + loaded.waitingSequences()).isEqualTo(1);
        steps.release(100);
        var idle = reports.receiveMessage(SOON);
        while (idle.runningSequences() > 0) {
            assertThat(idle.epoch()).isGreaterThan(loaded.epoch());
            idle = reports.receiveMessage(SOON);
        }
        assertThat(idle.freeBlocks()).isEqualTo(BLOCKS);
    }

    @Test
    void whileItsModelLoadsAWorkerRefusesRequestsAndKeepsQuestions() throws Exception {
        var loaded = new CountDownLatch(1);
        Callable<LoadedModel> loader = () -> {
            loaded.await();
            return model(4, 4);
        };
        var worker = kit.spawn(Worker.create(loader, new WorkerMetrics(new PrometheusRegistry(), "stand-in")));
        assertThat(failure(worker, request(endless(1), 1)).message()).isEqualTo("the worker is loading its model");
        var listings = kit.<Receptionist.Listing>createTestProbe();
        kit.system().receptionist().tell(Receptionist.find(WorkerProtocol.KEY, listings.getRef()));
        assertThat(listings.receiveMessage(SOON).getServiceInstances(WorkerProtocol.KEY))
                .isEmpty();
        var probe = kit.<WorkerProtocol.Description>createTestProbe();
        worker.tell(new WorkerProtocol.Describe(probe.getRef()));
        kit.system().receptionist().tell(Receptionist.subscribe(WorkerProtocol.KEY, listings.getRef()));
        assertThat(listings.receiveMessage(SOON).getServiceInstances(WorkerProtocol.KEY))
                .isEmpty();
        loaded.countDown();
        assertThat(probe.receiveMessage(SOON).incarnation()).isEqualTo(7);
        assertThat(listings.receiveMessage(SOON).getServiceInstances(WorkerProtocol.KEY))
                .containsExactly(worker);
    }

    @Test
    void aModelThatCannotBeLoadedStopsTheWorker() {
        Callable<LoadedModel> loader = () -> {
            throw new IllegalArgumentException("no such model");
        };
        var worker = kit.spawn(Worker.create(loader, new WorkerMetrics(new PrometheusRegistry(), "stand-in")));
        kit.createTestProbe().expectTerminated(worker, SOON);
    }

    @Test
    void anOutputEndsWithItsStopTokenOrItsLength() {
        var worker = worker(4, 4);
        var prompt = new int[] {1, 2, 3};
        int third = StandInModel.output(prompt, endless(3), 0, LENGTH_MAX).get(2);
        var stopping = new SamplingParameters(50, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(third), true, 0, 1, -1, -1);
        var probe = send(worker, request(stopping, prompt), 0);
        StreamEvent event = probe.receiveMessage(SOON);
        while (!(event instanceof StreamEvent.Finished)) {
            event = probe.receiveMessage(SOON);
        }
        var finished = (StreamEvent.Finished) event;
        assertThat(finished.reason()).isEqualTo(FinishReason.STOP);
        assertThat(finished.stopTokenId()).hasValue(third);
        assertThat(finished.tokenCount()).isLessThanOrEqualTo(3);
    }
}
