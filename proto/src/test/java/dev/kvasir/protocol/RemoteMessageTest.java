package dev.kvasir.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.typesafe.config.ConfigFactory;
import dev.kvasir.protocol.WorkerProtocol.Generate;
import java.time.Duration;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.Test;

/** Two actor systems over loopback. */
class RemoteMessageTest {
    private static final String REMOTE = """
            pekko.actor.provider = remote
            pekko.remote.use-unsafe-remote-features-outside-cluster = on
            pekko.remote.warn-unsafe-watch-outside-cluster = off
            pekko.remote.artery.transport = tcp
            pekko.remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
            """;

    @Test
    void aRequestReachesAnotherMemberAndItsAnswerComesBack() {
        var here = ActorTestKit.create("here", ConfigFactory.parseString(REMOTE).withFallback(ConfigFactory.load()));
        var there =
                ActorTestKit.create("there", ConfigFactory.parseString(REMOTE).withFallback(ConfigFactory.load()));
        try {
            ActorRef<WorkerProtocol.Command> worker = there.spawn(Behaviors.receiveMessage(command -> {
                if (command instanceof Generate generate) {
                    generate.replyTo()
                            .tell(new Delivery.Event(
                                    1,
                                    new StreamEvent.Accepted(generate.request().id(), 42)));
                }
                return Behaviors.same();
            }));
            var path = ActorRefResolver.get(there.system()).toSerializationFormat(worker);
            ActorRef<WorkerProtocol.Command> remote =
                    ActorRefResolver.get(here.system()).resolveActorRef(path);
            var answers = here.<Delivery>createTestProbe();
            var id = new RequestId("one");
            var request = new GenerationRequest(id, "m", new int[] {1, 2}, SamplingParameters.greedy(3), "", 0);
            remote.tell(new Generate(request, Continuation.fresh(1), ByteString.EMPTY, "router", 0, answers.ref()));
            assertThat(answers.receiveMessage(Duration.ofSeconds(30)))
                    .isEqualTo(new Delivery.Event(1, new StreamEvent.Accepted(id, 42)));
        } finally {
            here.shutdownTestKit();
            there.shutdownTestKit();
        }
    }
}
