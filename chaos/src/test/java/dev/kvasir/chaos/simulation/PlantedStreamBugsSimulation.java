package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.Session;
import dev.kvasir.router.Session.Action;
import dev.kvasir.worker.StreamSettings;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What routers and workers may get wrong with streams. */
class PlantedStreamBugsSimulation extends PlantedBugs {
    @Test
    void aDrainThatDoesNotWaitForThoseWhoMayResumeIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            boolean mayLeave() {
                return streams().inEngine() == 0;
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void aSubscriptionThatEndsWithItsPredecessorIsFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            private final Set<Life> subscribed = new HashSet<>();

            @Override
            void send(Life to, Object message) {
                if (!(message instanceof WorkerProtocol.Subscribe) || subscribed.add(to)) {
                    super.send(to, message);
                }
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }

    @Test
    void aLostReplyThatNobodyAsksForAgainIsFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            @Override
            void send(Life to, Object message) {
                if (!(message instanceof WorkerProtocol.Again)) {
                    super.send(to, message);
                }
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void theWordOfAnOlderAttemptThatIsHeededIsFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            @Override
            List<Action> received(Session session, Delivery word) {
                long attempt = session.attempt();
                return super.received(
                        session,
                        switch (word) {
                            case Delivery.Event(long old, var event) -> new Delivery.Event(attempt, event);
                            case Delivery.Unknown(var id, long old) -> new Delivery.Unknown(id, attempt);
                            case Delivery.Superseded(var id, long old) -> new Delivery.Superseded(id, attempt);
                        });
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void tokensThatAreEmittedAgainAfterAMoveAreFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            private final Set<RequestId> moved = new HashSet<>();

            @Override
            void send(Life to, Object message) {
                if (message instanceof WorkerProtocol.Generate generate
                        && !generate.continuation().begins()) {
                    moved.add(generate.request().id());
                }
                super.send(to, message);
            }

            @Override
            void say(Life client, RequestId id, OutputEvent event) {
                super.say(client, id, event);
                if (event instanceof OutputEvent.Delta && moved.remove(id)) {
                    super.say(client, id, event);
                }
            }
        }));
        assertThat(failure.promise()).contains("P2");
    }

    @Test
    void aLeaseThatNeverEndsIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            StreamSettings streamSettings() {
                var usual = super.streamSettings();
                return new StreamSettings(
                        Duration.ofHours(1),
                        usual.stepTimeout(),
                        usual.retention(),
                        usual.resumeWait(),
                        usual.retainedMax(),
                        usual.retainedBytesMax());
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }
}
