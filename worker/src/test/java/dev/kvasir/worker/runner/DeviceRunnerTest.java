package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.ReferenceKernels;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the runner has a device do, against what it does on the host alone. */
class DeviceRunnerTest {
    private static final int BLOCK_SIZE = 4;
    private static final int LENGTH = 24;
    private static final int ROWS_MAX = 48;
    /** Fewer than some steps want. */
    private static final int LOGIT_ROWS_MAX = 7;

    private static final int SEQUENCES_MAX = 6;
    private static final int NOT_SCORED = SamplingParameters.NO_LOGPROBS;

    private final Random random = new Random(4);
    private final DeviceKernels device = new DeviceKernels();

    private static DecoderRunner runner(Kernels kernels) {
        try {
            var folder = ModelFolder.open(
                    Path.of(Objects.requireNonNull(DeviceRunnerTest.class.getResource("/golden/llama-gqa"))
                            .toURI()));
            var weights = folder.weights(ModelFolder.Check.NEVER, LoadProgress.NONE);
            var limits = new DecoderLimits(ROWS_MAX, LOGIT_ROWS_MAX, LENGTH);
            var decoder = Decoder.load(kernels, folder.config(), weights, limits);
            var kv = kernels.allocateKv(decoder.layout(BLOCK_SIZE, KvFormat.F32), SEQUENCES_MAX * LENGTH / BLOCK_SIZE);
            return new DecoderRunner(kernels, decoder, kv, ROWS_MAX, SEQUENCES_MAX, () -> {
                kernels.close();
                weights.close();
            });
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static SamplingParameters sampling(float temperature, float repetition, Map<Integer, Float> bias, int top) {
        return new SamplingParameters(
                9, 0, temperature, 0.9f, 0, 0, repetition, 0, 0, bias, Set.of(), true, 5, 1, top, NOT_SCORED);
    }

    private static int[] table(int sequence) {
        var table = new int[LENGTH / BLOCK_SIZE];
        Arrays.setAll(table, block -> block * SEQUENCES_MAX + sequence);
        return table;
    }

    private int[][] prompts(int vocabulary) {
        var prompts = new int[SEQUENCES_MAX][];
        for (int i = 0; i < prompts.length; i++) {
            prompts[i] = random.ints(LENGTH, 0, vocabulary).toArray();
        }
        return prompts;
    }

    private static SamplingState state(SamplingParameters parameters, int[] prompt, int vocabulary) {
        return new SamplingState(parameters, 0, Arrays.copyOf(prompt, 4), vocabulary, new int[] {2});
    }

    /** Prompts of six tokens of which five are scored, and outputs of all kinds, in one step. */
    private static List<ScoredToken> mixed(DecoderRunner runner, int[][] prompts) {
        var kinds = List.of(
                sampling(0, 1, Map.of(), 3),
                sampling(0.8f, 1, Map.of(), 20),
                sampling(0, 1.4f, Map.of(7, 4f), 0),
                sampling(0.5f, 1.2f, Map.of(9, 40f), 5),
                sampling(0, 1, Map.of(), NOT_SCORED),
                sampling(0.5f, 1, Map.of(), NOT_SCORED));
        var step = new Step(SEQUENCES_MAX);
        for (int i = 0; i < SEQUENCES_MAX; i++) {
            var work = step.add();
            work.compute(prompts[i], 0, 6, table(i));
            if (i % 2 == 0) {
                work.score(0, 5, i);
            }
            work.choose(state(kinds.get(i), prompts[i], runner.vocabularySize()), 0);
        }
        runner.run(step);
        var results = new ArrayList<ScoredToken>();
        for (int i = 0; i < SEQUENCES_MAX; i++) {
            assertThat(step.get(i).failure()).isNull();
            assertThat(step.get(i).scores()).hasSize(i % 2 == 0 ? 5 : 0);
            results.addAll(step.get(i).scores());
            results.add(step.get(i).chosen(0));
        }
        return results;
    }

    /** To the bit; what has no log-probability has none. */
    private static void assertSame(List<ScoredToken> given, List<ScoredToken> expected) {
        assertThat(given)
                .usingRecursiveComparison()
                .withEqualsForType(Float::equals, Float.class)
                .isEqualTo(expected);
    }

    @Test
    void whatIsScoredOnTheDeviceIsWhatTheHostScoresWhereverTheRowsAre() {
        try (var there = runner(device);
                var here = runner(new ReferenceKernels())) {
            var prompts = prompts(here.vocabularySize());
            assertSame(mixed(there, prompts), mixed(here, prompts));
            // 15 prompt tokens and the four scored outputs, but for those drawn in later parts of the step: the host's.
            assertThat(device.rowsScored).isBetween(16, 19);
            assertThat(device.rowsRead).isLessThanOrEqualTo(4);
        }
    }

    @Test
    void outputsWithLogProbabilitiesAreFollowedWithoutALookAtTheirLogits() {
        var kinds = List.of(
                sampling(0, 1, Map.of(), 3),
                sampling(0.8f, 1, Map.of(), 2),
                sampling(0.5f, 1, Map.of(9, 4f), 0),
                sampling(0, 1, Map.of(), NOT_SCORED));
        try (var there = runner(device);
                var here = runner(new ReferenceKernels())) {
            var prompts = prompts(here.vocabularySize());
            var expected = new ArrayList<ScoredToken>();
            var steps = new Step[] {new Step(SEQUENCES_MAX), new Step(SEQUENCES_MAX)};
            for (int i = 0; i < kinds.size(); i++) {
                var state = state(kinds.get(i), prompts[i], here.vocabularySize());
                for (int count = 0; count < 2; count++) {
                    compute(here, prompts[i], 6 + count, table(i), state, count, expected);
                }
                var first = steps[0].add();
                first.compute(prompts[i], 0, 6, table(i));
                first.choose(state, 0);
                var second = steps[1].add();
                second.follow(i, prompts[i], 6, table(i));
                second.choose(state, 1);
            }
            there.begin(steps[0]);
            assertThat(there.mayBeFollowed(steps[0])).isTrue();
            there.begin(steps[1]);
            there.finish(steps[0]);
            there.finish(steps[1]);
            var given = new ArrayList<ScoredToken>();
            for (int i = 0; i < kinds.size(); i++) {
                given.add(steps[0].get(i).chosen(0));
                given.add(steps[1].get(i).chosen(0));
            }
            assertSame(given, expected);
            assertThat(device.rowsRead).isZero();
        }
    }

    private static void compute(
            DecoderRunner runner,
            int[] tokens,
            int count,
            int[] table,
            SamplingState state,
            int position,
            List<ScoredToken> into) {
        var step = new Step(1);
        var work = step.add();
        var own = Arrays.copyOf(tokens, LENGTH);
        for (int i = 0; i < position; i++) {
            own[count - position + i] = into.get(into.size() - position + i).token();
        }
        work.compute(own, 0, count, table);
        work.choose(state, position);
        runner.run(step);
        into.add(work.chosen(0));
    }

    @Test
    void withoutADeviceThatScoresNobodyIsFollowed() {
        try (var here = runner(new ReferenceKernels())) {
            var step = new Step(1);
            var work = step.add();
            work.compute(new int[] {3, 4}, 0, 2, table(0));
            work.choose(state(sampling(0, 1, Map.of(), 1), new int[] {3, 4, 5, 6}, here.vocabularySize()), 0);
            here.begin(step);
            assertThat(here.mayBeFollowed(step)).isFalse();
        }
    }
}
