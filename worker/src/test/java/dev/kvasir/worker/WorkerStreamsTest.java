package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Streams whose routers fall silent, come back, or hand over to others. */
class WorkerStreamsTest extends WorkerStage {
    @Test
    void aRequestWhoseRouterFallsSilentStopsAndCanBeClaimedByAnotherWithEveryTokenOnce() {
        leasesEndSoon(Duration.ofSeconds(60));
        runner.stepOnlyWith(steps);
        var worker = worker(4, 4);
        var request = request(endless(60), 1, 2, 3);
        sendAndTakeTenTokens(worker, request);
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
}
