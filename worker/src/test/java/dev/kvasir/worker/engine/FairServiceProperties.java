package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.Tenant;
import dev.kvasir.worker.schedule.FairnessSettings;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What tenants are served by the whole engine. The bound is that of the paper (theorem 4.4 for two clients that are both
 * backlogged): {@code 2 max(input weight x longest prompt, output weight x tokens that the pool holds)}, at any time.
 */
class FairServiceProperties {
    private static final int BLOCK_SIZE = 4;
    private static final int PROMPT_MAX = 60;
    private static final int OUTPUT_MAX = 40;
    private static final int WAITING_MAX = 64;
    private static final int PRIORITY_TOKENS = 50;

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 60) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void twoBackloggedTenantsAreServedAlikeWithinABoundThatDoesNotGrow(long seed) {
        var service = new Service(new SplittableRandom(seed), 0);
        for (int step = 0; step < 3_000; step++) {
            service.keepWaiting("greedy", 12, 0);
            service.keepWaiting("modest", 1 + BLOCK_SIZE, 0);
            service.step();
            assertThat(Math.abs(service.served("greedy") - service.served("modest")))
                    .as("after %d steps", step)
                    .isLessThanOrEqualTo(service.bound());
        }
        assertThat(service.served("modest")).isGreaterThan(4 * service.bound());
    }

    /** Else the property above would hold of any order. */
    @Test
    void inTheOrderOfArrivalTheGreedyOneGetsMore() {
        var service = new Service(new SplittableRandom(1), 0);
        service.asOne = true;
        for (int step = 0; step < 3_000; step++) {
            service.keepWaiting("greedy", 12, 0);
            service.keepWaiting("modest", 1 + BLOCK_SIZE, 0);
            service.step();
        }
        assertThat(service.served("greedy") - service.served("modest")).isGreaterThan(service.bound());
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void aTenantGainsNothingByIdling(long seed) {
        var random = new SplittableRandom(seed);
        var service = new Service(random, 0);
        for (int step = 0; step < 1_500; step++) {
            service.keepWaiting("busy", 6, 0);
            if (step % 300 == 0) {
                service.submit("idle", 0);
            }
            service.step();
        }
        long busy = service.served("busy");
        long idle = service.served("idle");
        for (int step = 0; step < 1_500; step++) {
            service.keepWaiting("busy", 6, 0);
            service.keepWaiting("idle", 6, 0);
            service.step();
            assertThat(Math.abs((service.served("busy") - busy) - (service.served("idle") - idle)))
                    .as("%d steps after it came back", step)
                    .isLessThanOrEqualTo(service.bound());
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void whatOneLeavesOthersGet(long seed) {
        long together = stepsToServe(seed, 1);
        assertThat(stepsToServe(seed, 7)).isCloseTo(together, withinPercentage(10));
    }

    /** All requests alike, so that only idle capacity could make a difference, and who is preempted when. */
    private static long stepsToServe(long seed, int tenants) {
        var random = new SplittableRandom(seed);
        var service = new Service(new SplittableRandom(seed), 0);
        for (int i = 0; i < WAITING_MAX; i++) {
            service.submit("tenant-" + random.nextInt(tenants), 0, 20, 10);
        }
        long steps = 0;
        while (!service.core.isIdle()) {
            service.step();
            steps++;
        }
        return steps;
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void nobodyStarvesWhateverItsPriorityAndWhoeverFloods(long seed) {
        int worst = 10;
        var service = new Service(new SplittableRandom(seed), 2L * worst * PRIORITY_TOKENS);
        for (int step = 0; step < 200; step++) {
            service.keepWaiting("flood", 20, -worst);
            service.step();
        }
        var small = service.submit("small", worst);
        long before = service.served("flood");
        while (small.tokens.isEmpty()) {
            service.keepWaiting("flood", 20, -worst);
            service.step();
            assertThat(service.served("flood") - before).isLessThanOrEqualTo(2 * service.bound());
        }
    }

    private record Asked(RecordingSink sink, int promptLength) {
        /** As clients see it: a prompt counts when its first token comes. */
        long service() {
            long tokens = sink.tokens.values().stream().mapToInt(List::size).sum();
            return tokens == 0 ? 0 : promptLength + 2 * tokens;
        }
    }

    private static final class Service {
        final SplittableRandom random;
        final long priorities;
        final int blocks;
        final EngineCore core;
        final Map<String, List<Asked>> asked = new HashMap<>();
        final Map<String, Long> done = new HashMap<>();
        boolean asOne;
        long now = 1;
        long requests;

        Service(SplittableRandom random, long priorities) {
            this.random = random;
            this.priorities = priorities;
            int sequencesMax = random.nextInt(2, 9);
            int tokensMax = sequencesMax + random.nextInt(10, 60);
            blocks = random.nextInt(25, 80);
            var limits = new SchedulerLimits(tokensMax, sequencesMax, 8, BLOCK_SIZE);
            var settings = new EngineSettings(
                    "stand-in",
                    1,
                    "print",
                    "f32",
                    PROMPT_MAX + OUTPUT_MAX,
                    limits,
                    WAITING_MAX,
                    new int[] {StandInModel.END},
                    false,
                    1_000,
                    new FairnessSettings(1, 2, PRIORITY_TOKENS, 16),
                    0);
            core = new EngineCore(settings, new StandInRunner(blocks, BLOCK_SIZE, tokensMax), new CountingObserver());
        }

        long bound() {
            return 2 * Math.max(PROMPT_MAX, 2L * blocks * BLOCK_SIZE) + priorities;
        }

        void step() {
            core.step(now++);
        }

        /** Keeps so many requests of a tenant that have not begun. */
        void keepWaiting(String tenant, int count, int priority) {
            var mine = asked.computeIfAbsent(tenant, _ -> new ArrayList<>());
            mine.removeIf(one -> {
                if (one.sink.ended) {
                    done.merge(tenant, one.service(), Long::sum);
                }
                return one.sink.ended;
            });
            for (long left = count
                            - mine.stream()
                                    .filter(one -> one.sink.tokens.isEmpty())
                                    .count();
                    left > 0;
                    left--) {
                submit(tenant, priority);
            }
        }

        RecordingSink submit(String tenant, int priority) {
            return submit(tenant, priority, random.nextInt(1, PROMPT_MAX), random.nextInt(1, OUTPUT_MAX));
        }

        RecordingSink submit(String tenant, int priority, int promptLength, int outputLength) {
            var sampling = new SamplingParameters(
                    outputLength, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
            var request = new GenerationRequest(
                    new RequestId("r" + requests++),
                    "stand-in",
                    random.ints(promptLength, 1, 90).toArray(),
                    sampling,
                    "",
                    priority,
                    Tenant.of(asOne ? "" : tenant, false));
            var sink = new RecordingSink();
            asked.computeIfAbsent(tenant, _ -> new ArrayList<>()).add(new Asked(sink, promptLength));
            core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), now);
            assertThat(sink.failed).isNull();
            return sink;
        }

        long served(String tenant) {
            return done.getOrDefault(tenant, 0L)
                    + asked.getOrDefault(tenant, List.of()).stream()
                            .mapToLong(Asked::service)
                            .sum();
        }
    }
}
