package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An open loop of requests against one engine in virtual time: a step costs 2 ms and 0.05 ms for each of its tokens. Goodput
 * is requests a second that were answered whole within their deadline, which the engine is told.
 */
class OverloadSimulation {
    private static final long MILLI = 1_000_000;
    private static final long SECOND = 1_000 * MILLI;
    private static final long RUN = 40 * SECOND;
    private static final long DEADLINE = 2 * SECOND;
    private static final int SEATS = 8;
    private static final int PROMPT_MAX = 60;
    private static final int OUTPUT_MAX = 60;

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 3) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void twiceTheLoadGivesAtLeastFourFifthsOfThePeak(long seed) {
        double peak = 0;
        double capacity = new Run(seed, 1_000, true).throughput();
        for (double load = 0.6; load < 1.25; load += 0.2) {
            peak = Math.max(peak, new Run(seed, load * capacity, true).goodput());
        }
        var twice = new Run(seed, 2 * capacity, true);
        assertThat(twice.goodput()).as("peak %.1f/s, %s", peak, twice).isGreaterThanOrEqualTo(0.8 * peak);
        assertThat(peak).as("of a capacity of %.1f/s", capacity).isGreaterThan(0.6 * capacity);
        assertThat(twice.refused).as("who cannot be served hears so at once").isGreaterThan(8 * twice.late);
    }

    /** Else the property above would hold of any queue. */
    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void withoutDeadlinesTheQueueMakesAllAnswersLate(long seed) {
        double capacity = new Run(seed, 1_000, true).throughput();
        assertThat(new Run(seed, 2 * capacity, false).goodput()).isLessThan(0.5 * capacity);
    }

    private static final class Run {
        private final SplittableRandom random;
        private final boolean told;
        private final CountingObserver observer = new CountingObserver();
        private final EngineCore core;
        private final List<Asked> asked = new ArrayList<>();
        private int good;
        private int done;
        private int refused;
        private int late;

        private record Asked(RecordingSink sink, long deadlineNanos) {}

        Run(long seed, double rate, boolean told) {
            this.random = new SplittableRandom(seed);
            this.told = told;
            var limits = new SchedulerLimits(64, SEATS, 8, 4);
            var settings = new EngineSettings(
                    "stand-in",
                    1,
                    "print",
                    "f32",
                    PROMPT_MAX + OUTPUT_MAX,
                    limits,
                    256,
                    new int[] {StandInModel.END},
                    false,
                    SECOND);
            core = new EngineCore(settings, new StandInRunner(SEATS * 30, 4, 64), observer);
            run(rate);
        }

        private void run(double rate) {
            long now = 1;
            long next = 1;
            while (now < RUN) {
                while (next <= now) {
                    submit(next, now);
                    next += (long) (-Math.log(1 - random.nextDouble()) / rate * SECOND);
                }
                if (core.isIdle()) {
                    now = next;
                    continue;
                }
                core.step(now);
                now += 2 * MILLI + observer.lastTokens * MILLI / 20;
                count(now);
            }
        }

        private void submit(long arrival, long now) {
            int output = random.nextInt(5, OUTPUT_MAX);
            var sampling =
                    new SamplingParameters(output, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
            var prompt = random.ints(random.nextInt(10, PROMPT_MAX), 1, 90).toArray();
            var request =
                    new GenerationRequest(new RequestId("r" + random.nextLong()), "stand-in", prompt, sampling, "", 0);
            var sink = new RecordingSink();
            asked.add(new Asked(sink, arrival + DEADLINE));
            core.submit(new ActiveRequest(request, told ? arrival + DEADLINE : ActiveRequest.NO_DEADLINE, sink), now);
        }

        private void count(long now) {
            asked.removeIf(one -> {
                if (!one.sink.ended) {
                    return false;
                }
                var failed = one.sink.failed;
                if (failed == null) {
                    done++;
                    good += now <= one.deadlineNanos ? 1 : 0;
                } else if (failed.kind() == FailureKind.RESOURCE_EXHAUSTED) {
                    assertThat(failed.retryAfterMillis()).isBetween(100L, 30_000L);
                    refused++;
                } else {
                    assertThat(failed.kind()).isEqualTo(FailureKind.DEADLINE_EXCEEDED);
                    late++;
                }
                return true;
            });
        }

        double goodput() {
            return good * (double) SECOND / RUN;
        }

        double throughput() {
            return done * (double) SECOND / RUN;
        }

        @Override
        public String toString() {
            return "%d good of %d done, %d refused, %d late".formatted(good, done, refused, late);
        }
    }
}
