package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** The sampler against {@link ReferenceSampling}; a failure names its seed and {@code -Dseed=} runs it alone. */
class SamplerProperties {
    private static final double ROUNDING = 2e-6;

    @Test
    void drawsFromTheReferenceDistribution() {
        seeds(400).forEach(seed -> {
            var random = new Random(seed);
            var scene = Scene.random(random, false);
            var distribution =
                    ReferenceSampling.distribution(scene.logits, scene.state.parameters(), scene.prompt, scene.output);
            double cumulative = 0;
            for (int id = 0; id < distribution.length; id++) {
                double next = cumulative + distribution[id];
                if (distribution[id] > 4 * ROUNDING) {
                    for (double uniform : new double[] {cumulative + ROUNDING, next - ROUNDING}) {
                        assertThat(scene.choose(uniform))
                                .withFailMessage("seed %d: not token %d at %s", seed, id, uniform)
                                .isEqualTo(id);
                    }
                }
                cumulative = next;
            }
        });
    }

    @Test
    void greedyIsTheFirstOfTheLargest() {
        seeds(400).forEach(seed -> {
            var scene = Scene.random(new Random(seed), true);
            var adjusted =
                    ReferenceSampling.adjusted(scene.logits, scene.state.parameters(), scene.prompt, scene.output);
            int chosen = scene.choose(0.5);
            int expected = ReferenceSampling.byPreference(adjusted)[0];
            assertThat(adjusted[chosen])
                    .withFailMessage("seed %d: %d instead of %d", seed, chosen, expected)
                    .isCloseTo(adjusted[expected], org.assertj.core.data.Offset.offset(1e-5));
        });
    }

    @Test
    void scoresAreThoseOfTheLogitsAsTheyCame() {
        seeds(200).forEach(seed -> {
            var random = new Random(seed);
            var scene = Scene.random(random, random.nextBoolean());
            var before = scene.logits.clone();
            int top = random.nextInt(21);
            scene.choose(random.nextDouble());
            assertThat(scene.logits)
                    .withFailMessage("seed %d: logits changed", seed)
                    .isEqualTo(before);
            int token = random.nextInt(before.length);
            requireScore(seed, scene.sampler.score(scene.logits, token, top), before, top);
        });
    }

    private static void requireScore(long seed, ScoredToken scored, float[] logits, int top) {
        var doubles =
                IntStream.range(0, logits.length).mapToDouble(i -> logits[i]).toArray();
        var order = ReferenceSampling.byPreference(doubles);
        var probabilities = ReferenceSampling.softmax(doubles);
        int count = Math.min(top, logits.length);
        assertThat(scored.topIds())
                .withFailMessage("seed %d: top %s", seed, Arrays.toString(scored.topIds()))
                .isEqualTo(Arrays.copyOf(order, count));
        assertThat(order[scored.rank() - 1])
                .withFailMessage("seed %d: rank %d", seed, scored.rank())
                .isEqualTo(scored.token());
        for (int i = 0; i < count; i++) {
            double expected = Math.log(probabilities[order[i]]);
            double actual = scored.topLogprobs()[i];
            assertThat(actual == expected || Math.abs(actual - expected) < 5e-6 * Math.max(1, Math.abs(expected)))
                    .withFailMessage("seed %d: log-probability %d is %s, not %s", seed, i, actual, expected)
                    .isTrue();
        }
    }

    private static List<Long> seeds(int count) {
        Long only = Long.getLong("seed");
        return only != null ? List.of(only) : LongStream.range(0, count).boxed().toList();
    }

    /** Random logits and parameters, with ties, forbidden tokens and sizes about a row of the sampler. */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record Scene(Sampler sampler, float[] logits, SamplingState state, int[] prompt, List<Integer> output) {
        int choose(double uniform) {
            return sampler.choose(logits, state, output.size(), uniform);
        }

        static Scene random(RandomGenerator random, boolean greedy) {
            int size = pick(random, 2, 3, 17, 100, 1023, 1024, 1025, 3000);
            var logits = logits(random, size);
            var prompt = random.ints(random.nextInt(1, 40), 0, size).toArray();
            var parameters = parameters(random, size, greedy);
            var state = new SamplingState(parameters, random.nextInt(16), prompt, size, new int[0]);
            var output = new ArrayList<Integer>();
            for (int i = random.nextInt(40); i > 0; i--) {
                int token = random.nextInt(size);
                output.add(token);
                state.accept(token);
            }
            return new Scene(new Sampler(size), logits, state, prompt, output);
        }

        private static float[] logits(RandomGenerator random, int size) {
            double spread = random.nextDouble(0.1, 12);
            boolean ties = random.nextInt(4) == 0;
            var logits = new float[size];
            for (int i = 0; i < size; i++) {
                double logit = random.nextGaussian() * spread;
                logits[i] = (float) (ties ? Math.rint(logit) : logit);
                if (i > 0 && random.nextInt(20) == 0) {
                    logits[i] = Float.NEGATIVE_INFINITY;
                }
            }
            return logits;
        }

        private static SamplingParameters parameters(RandomGenerator random, int size, boolean greedy) {
            var biases = new HashMap<Integer, Float>();
            var stops = new HashSet<Integer>();
            for (int i = random.nextInt(3); i > 0; i--) {
                biases.put(random.nextInt(size), random.nextFloat(-100, 4));
                stops.add(random.nextInt(1, size));
            }
            return new SamplingParameters(
                    100,
                    random.nextInt(60),
                    greedy ? 0 : random.nextFloat(0.2f, 3),
                    random.nextBoolean() ? 1 : random.nextFloat(0.05f, 1),
                    random.nextBoolean() ? 0 : pick(random, 1, 2, 5, 50, 1024, 2000),
                    random.nextInt(3) > 0 ? 0 : random.nextFloat(),
                    random.nextBoolean() ? 1 : random.nextFloat(0.5f, 2),
                    random.nextBoolean() ? 0 : random.nextFloat(-2, 2),
                    random.nextBoolean() ? 0 : random.nextFloat(-2, 2),
                    biases,
                    stops,
                    false,
                    random.nextLong(),
                    1,
                    SamplingParameters.NO_LOGPROBS,
                    SamplingParameters.NO_LOGPROBS);
        }

        private static int pick(RandomGenerator random, int... choices) {
            return choices[random.nextInt(choices.length)];
        }
    }
}
