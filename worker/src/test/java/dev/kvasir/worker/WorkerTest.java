package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.StandInModel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.apache.pekko.actor.testkit.typed.javadsl.FishingOutcomes;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.junit.jupiter.api.Test;

/** What a worker makes of requests, and of models that do not work. */
class WorkerTest extends WorkerStage {
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
