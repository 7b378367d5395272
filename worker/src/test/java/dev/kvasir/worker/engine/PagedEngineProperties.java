package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.block.BlockInvariants;
import dev.kvasir.kvstore.block.BlockTable;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random workloads over the whole engine: arrivals, shared prompts, several outputs, priorities, cancels, deadlines, poisoned
 * sequences, tiny pools. Whatever happens around it, each output is what one sequence alone gives.
 */
class PagedEngineProperties {
    private static final int STEPS_MAX = 20_000;

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 400) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void pagedOutputsEqualThoseOfOneSequenceAtATimeTokenForToken(long seed) {
        var workload = new Workload(new Random(seed));
        for (int tick = 0; tick < 120; tick++) {
            workload.arriveOrCancel();
            workload.stepAndCheck();
        }
        for (int steps = 0; !workload.core.isIdle(); steps++) {
            assertThat(steps).as("steps without arrivals").isLessThan(STEPS_MAX);
            workload.stepAndCheck();
        }
        workload.checkAnswers();
    }

    @Test
    void theWorkloadsReachPreemptionForksReuseAndRefusals() {
        int preempted = 0;
        int refused = 0;
        int forked = 0;
        long hits = 0;
        long evictions = 0;
        long followed = 0;
        for (int seed = 0; seed < 60; seed++) {
            var workload = new Workload(new Random(seed));
            for (int tick = 0; tick < 120; tick++) {
                workload.arriveOrCancel();
                workload.stepAndCheck();
            }
            preempted += workload.observer.preemptions;
            refused += workload.sent.stream()
                    .mapToInt(sent -> sent.sink.failed == null ? 0 : 1)
                    .sum();
            forked += workload.sent.stream()
                    .mapToInt(sent -> sent.sink.tokens.size() > 1 ? 1 : 0)
                    .sum();
            hits += workload.core.cache().hitTokens();
            evictions += workload.core.cache().evictions();
            followed += workload.runner.followed;
        }
        assertThat(List.of(preempted, refused, forked))
                .allSatisfy(count -> assertThat(count).isGreaterThan(50));
        assertThat(List.of(hits, evictions))
                .allSatisfy(count -> assertThat(count).isGreaterThan(500L));
        assertThat(followed).isGreaterThan(100);
    }

    private record Sent(GenerationRequest request, ActiveRequest active, RecordingSink sink, AtomicInteger cancelled) {}

    private static final class Workload {
        final Random random;
        final int blockSize;
        final int lengthMax;
        final EngineSettings settings;
        final StandInRunner runner;
        final CountingObserver observer = new CountingObserver();
        final EngineCore core;
        final List<Sent> sent = new ArrayList<>();
        final List<int[]> documents = new ArrayList<>();
        long now = 1;

        Workload(Random random) {
            this.random = random;
            blockSize = random.nextInt(1, 7);
            lengthMax = random.nextInt(8, 60);
            int sequencesMax = random.nextInt(1, 8);
            int tokensMax = sequencesMax + random.nextInt(0, 24);
            int blocks = Math.ceilDiv(lengthMax, blockSize) + random.nextInt(-1, 12);
            settings = new EngineSettings(
                    "stand-in",
                    7,
                    "fingerprint",
                    "f32",
                    lengthMax,
                    new SchedulerLimits(tokensMax, sequencesMax, random.nextInt(1, 9), blockSize),
                    random.nextInt(1, 12),
                    new int[] {StandInModel.END},
                    random.nextInt(5) != 0,
                    random.nextInt(1, 20));
            runner = new StandInRunner(Math.max(1, blocks), blockSize, tokensMax);
            if (random.nextBoolean()) {
                runner.runAhead();
            }
            core = new EngineCore(settings, runner, observer);
            for (int i = 0; i < 3; i++) {
                documents.add(random.ints(lengthMax, 1, 5).toArray());
            }
        }

        void arriveOrCancel() {
            for (int i = random.nextInt(3); i > 0; i--) {
                submit();
            }
            if (!sent.isEmpty() && random.nextInt(6) == 0) {
                var victim = sent.get(random.nextInt(sent.size()));
                int output = random.nextInt(-1, victim.request.sampling().n() + 1);
                victim.cancelled.set(1);
                if (output < 0) {
                    victim.active.cancel();
                } else {
                    victim.active.cancelOutput(output);
                }
            }
        }

        private void submit() {
            var request = new GenerationRequest(
                    new RequestId("r" + sent.size()),
                    "stand-in",
                    prompt(),
                    sampling(),
                    random.nextInt(4) == 0 ? "salt" : "",
                    random.nextInt(-3, 4));
            boolean hurried = random.nextInt(15) == 0;
            var sink = new RecordingSink();
            var active =
                    new ActiveRequest(request, hurried ? now + random.nextInt(1, 40) : ActiveRequest.NO_DEADLINE, sink);
            sent.add(new Sent(request, active, sink, new AtomicInteger(hurried ? 1 : 0)));
            core.submit(active, now);
        }

        private int[] prompt() {
            var document = documents.get(random.nextInt(documents.size()));
            int length = random.nextInt(1, lengthMax);
            var prompt = java.util.Arrays.copyOf(document, length);
            if (random.nextInt(2) == 0) {
                prompt[length - 1] = random.nextInt(1, 96);
            }
            if (random.nextInt(30) == 0) {
                prompt[random.nextInt(length)] = StandInModel.POISON;
            }
            return prompt;
        }

        private SamplingParameters sampling() {
            int maxTokens = random.nextInt(1, 20);
            return new SamplingParameters(
                    maxTokens,
                    random.nextInt(4) == 0 ? random.nextInt(maxTokens) : 0,
                    random.nextInt(2),
                    1,
                    0,
                    0,
                    1,
                    0,
                    0,
                    Map.of(),
                    random.nextInt(3) == 0 ? Set.of(3, 4, 5, 6) : Set.of(),
                    random.nextInt(3) == 0,
                    random.nextInt(1_000),
                    random.nextInt(3) == 0 ? random.nextInt(1, 5) : 1,
                    SamplingParameters.NO_LOGPROBS,
                    random.nextInt(5) == 0 ? 0 : SamplingParameters.NO_LOGPROBS);
        }

        void stepAndCheck() {
            now += random.nextInt(1, 4);
            core.step(now);
            var tables = new ArrayList<BlockTable>();
            core.sequences().forEach(sequence -> tables.add(sequence.table()));
            BlockInvariants.check(core.cache(), tables, roots());
            for (var one : sent) {
                if (one.active.isCancelled()) {
                    assertThat(one.sink.ended)
                            .as("cancelled requests end within one step")
                            .isTrue();
                }
            }
        }

        private List<BlockHash> roots() {
            var hasher = new BlockHasher(blockSize);
            return List.of(
                    hasher.root(new HashRoot("fingerprint", "", "f32", blockSize, "", "")),
                    hasher.root(new HashRoot("fingerprint", "", "f32", blockSize, "", "salt")));
        }

        void checkAnswers() {
            assertThat(core.cache().pool().used()).isZero();
            assertThat(runner.mostScored).isLessThanOrEqualTo(settings.limits().scoredRowsMax());
            for (var one : sent) {
                assertThat(one.sink.ended).isTrue();
                checkAnswer(one);
            }
        }

        private void checkAnswer(Sent one) {
            var failed = one.sink.failed;
            var sampling = one.request.sampling();
            boolean poisoned =
                    java.util.Arrays.stream(one.request.prompt()).anyMatch(token -> token == StandInModel.POISON);
            if (failed != null && failed.kind() == FailureKind.INTERNAL) {
                assertThat(poisoned).as("only a poisoned request fails").isTrue();
                return;
            }
            if (failed != null && !one.sink.accepted) {
                return;
            }
            for (int output = 0; output < sampling.n(); output++) {
                var right = StandInModel.output(one.request.prompt(), sampling, output, lengthMax);
                var given = one.sink.tokens.getOrDefault(output, List.of());
                if (one.cancelled.get() != 0) {
                    assertThat(right.subList(0, given.size())).isEqualTo(given);
                } else {
                    assertThat(given).isEqualTo(right);
                    assertThat(one.sink.finished).containsKey(output);
                }
            }
            if (sampling.promptLogprobs() >= 0 && !one.sink.tokens.isEmpty()) {
                assertThat(one.sink.promptScores).isEqualTo(StandInModel.promptScores(one.request.prompt()));
            }
        }
    }
}
