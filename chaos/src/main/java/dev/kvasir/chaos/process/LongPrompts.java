package dev.kvasir.chaos.process;

import dev.kvasir.client.KvasirClient;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Random;

/** Asks prompts of some thousand tokens that nobody has seen: work, and new KV blocks. */
final class LongPrompts {
    private static final Duration TIMEOUT = Duration.ofMinutes(3);

    private final Members members;
    private final Timeline timeline;
    private final Random random;

    LongPrompts(Members members, Timeline timeline, Random random) {
        this.members = members;
        this.timeline = timeline;
        this.random = random;
    }

    /** Without waiting for the answers. */
    void askAtOnce(int count) {
        for (int i = 0; i < count; i++) {
            long seed = random.nextLong();
            Thread.ofVirtual().name("long-prompt").start(() -> ask(seed));
        }
    }

    /** Waits for the answer. */
    void ask() {
        ask(random.nextLong());
    }

    private void ask(long seed) {
        var doors = members.with("router").stream().map(Member::grpcAddress).toList();
        try (var client = KvasirClient.connect(doors);
                var answer = client.generate(Requests.longPrompt(new Random(seed)), TIMEOUT)) {
            while (answer.hasNext()) {
                answer.next();
            }
        } catch (StatusRuntimeException e) {
            timeline.violation("P1: a long prompt failed: " + e.getStatus());
        }
    }
}
