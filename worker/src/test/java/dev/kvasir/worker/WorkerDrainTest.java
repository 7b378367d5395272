package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import java.time.Duration;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** How a worker leaves. */
class WorkerDrainTest extends WorkerStage {
    @Test
    void aDrainingWorkerWaitsForWhoeverResumesTheRequestOfARouterThatFellSilent() {
        leasesEndSoon(Duration.ofSeconds(60));
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(60), 1, 2, 3);
        sendAndTakeTenTokens(worker, request);
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
    void aDrainingWorkerDoesNotWaitForEver() {
        leasesEndSoon(Duration.ofMillis(300));
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
}
