package dev.kvasir.worker;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
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
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.function.Predicate;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.FishingOutcomes;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;

/** A worker actor around a model that can be foretold, with routers that are probes. */
abstract class WorkerStage {
    static final int LENGTH_MAX = 200;
    static final int BLOCKS = 64;
    static final String ROUTER = "router#1";
    static final Duration SOON = Duration.ofSeconds(20);

    final ActorTestKit kit = ActorTestKit.create("worker-test");
    final StandInRunner runner = new StandInRunner(BLOCKS, 4, 64);
    final Semaphore steps = new Semaphore(0);
    private int requests;
    private StreamSettings settings = new StreamSettings(
            Duration.ofHours(1), Duration.ofSeconds(30), Duration.ofSeconds(60), Duration.ZERO, 16, 1 << 20);

    @AfterEach
    void stop() {
        steps.release(1_000_000);
        kit.shutdownTestKit();
    }

    ActorRef<WorkerProtocol.Command> worker(int sequencesMax, int waitingMax) {
        var worker = kit.spawn(Worker.create(
                () -> model(sequencesMax, waitingMax),
                new WorkerMetrics(new PrometheusRegistry(), "stand-in"),
                settings));
        barrier(worker);
        return worker;
    }

    LoadedModel model(int sequencesMax, int waitingMax) {
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

    RequestId id() {
        return new RequestId("request-" + requests++);
    }

    GenerationRequest request(SamplingParameters sampling, int... prompt) {
        return new GenerationRequest(id(), "stand-in", prompt, sampling, "", 0);
    }

    static SamplingParameters endless(int maxTokens) {
        return new SamplingParameters(maxTokens, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
    }

    TestProbe<StreamEvent> send(
            ActorRef<WorkerProtocol.Command> worker, GenerationRequest request, long deadlineMillis) {
        var probe = kit.<StreamEvent>createTestProbe();
        worker.tell(new WorkerProtocol.Generate(
                request, Continuation.fresh(1), ByteString.EMPTY, ROUTER, deadlineMillis, events(probe)));
        return probe;
    }

    /** For a router that falls silent after ten tokens. */
    void sendAndTakeTenTokens(ActorRef<WorkerProtocol.Command> worker, GenerationRequest request) {
        var probe = send(worker, request, 0);
        steps.release(10);
        expect(probe, StreamEvent.Accepted.class);
        for (int i = 0; i < 10; i++) {
            expect(probe, StreamEvent.Tokens.class);
        }
    }

    /** Takes deliveries for a probe of their events. */
    ActorRef<Delivery> events(TestProbe<StreamEvent> probe) {
        return kit.spawn(Behaviors.receiveMessage(delivery -> {
            if (delivery instanceof Delivery.Event event) {
                probe.ref().tell(event.event());
            }
            return Behaviors.same();
        }));
    }

    static <T extends StreamEvent> T expect(TestProbe<StreamEvent> probe, Class<T> type) {
        return type.cast(probe.receiveMessage(SOON));
    }

    /** Waits until the worker says that it has nothing to do and all blocks are free. */
    void awaitIdle(ActorRef<WorkerProtocol.Command> worker) {
        awaitLoad(
                worker,
                report -> report.runningSequences() == 0
                        && report.waitingSequences() == 0
                        && report.freeBlocks() == BLOCKS);
    }

    void awaitLoad(ActorRef<WorkerProtocol.Command> worker, Predicate<WorkerProtocol.LoadReport> wanted) {
        var probe = kit.<WorkerProtocol.LoadReport>createTestProbe();
        worker.tell(new WorkerProtocol.Subscribe(probe.getRef()));
        probe.fishForMessage(
                SOON, report -> wanted.test(report) ? FishingOutcomes.complete() : FishingOutcomes.continueAndIgnore());
        probe.stop();
    }

    static Map<Integer, List<Integer>> expected(GenerationRequest request) {
        var outputs = new HashMap<Integer, List<Integer>>();
        for (int i = 0; i < request.sampling().n(); i++) {
            outputs.put(i, StandInModel.output(request.prompt(), request.sampling(), i, LENGTH_MAX));
        }
        return outputs;
    }

    static Map<Integer, List<Integer>> outputs(TestProbe<StreamEvent> probe, int n) {
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

    /** All that was told to the worker before has been handled. */
    void barrier(ActorRef<WorkerProtocol.Command> worker) {
        var probe = kit.<WorkerProtocol.Description>createTestProbe();
        worker.tell(new WorkerProtocol.Describe(probe.getRef()));
        probe.receiveMessage(SOON);
    }

    StreamEvent.Failed failure(ActorRef<WorkerProtocol.Command> worker, GenerationRequest request) {
        return expect(send(worker, request, 0), StreamEvent.Failed.class);
    }

    static StreamEvent.Failed firstFailure(TestProbe<StreamEvent> probe) {
        while (true) {
            if (probe.receiveMessage(SOON) instanceof StreamEvent.Failed failed) {
                return failed;
            }
        }
    }

    /** Routers that do not renew are taken for lost at once; a draining worker waits so long for those who resume. */
    void leasesEndSoon(Duration resumeWait) {
        settings = new StreamSettings(
                Duration.ofMillis(200), Duration.ofSeconds(30), Duration.ofSeconds(60), resumeWait, 16, 1 << 20);
    }
}
