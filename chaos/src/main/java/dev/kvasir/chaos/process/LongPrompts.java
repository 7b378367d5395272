package dev.kvasir.chaos.process;

import dev.kvasir.client.KvasirClient;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/** Asks prompts of some thousand tokens that nobody has seen: work, and new KV blocks. Asked again they have the same answer. */
final class LongPrompts {
    private static final Duration TIMEOUT = Duration.ofMinutes(3);

    private final Members members;
    private final Timeline timeline;
    private final Random random;
    private final Map<Long, String> answers = new ConcurrentHashMap<>();

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

    /** Asks some at the same time and waits for their answers. */
    List<Long> ask(int count) throws InterruptedException {
        var seeds = random.longs(count).boxed().toList();
        askAll(seeds);
        return seeds;
    }

    /** Asks at the same time, anew or again, and waits for the answers. */
    void askAll(List<Long> seeds) throws InterruptedException {
        var threads = seeds.stream()
                .map(seed -> Thread.ofVirtual().name("long-prompt").start(() -> ask(seed)))
                .toList();
        for (var thread : threads) {
            thread.join();
        }
    }

    private void ask(long seed) {
        var doors = members.with("router").stream().map(Member::grpcAddress).toList();
        try (var client = KvasirClient.connect(doors);
                var answer = client.generate(Requests.longPrompt(new Random(seed)), TIMEOUT)) {
            var given = Requests.read(answer).all();
            var before = answers.putIfAbsent(seed, given);
            if (before != null && !before.equals(given)) {
                timeline.violation("P1: a long prompt was answered%n%s%nand not%n%s".formatted(given, before));
            }
        } catch (StatusRuntimeException e) {
            timeline.violation("P1: a long prompt failed: " + e.getStatus());
        }
    }
}
