package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.SamplingParameters;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final int[] PROMPT = {1};
    private static final int[] NO_END = {};

    @Test
    void frequenciesFollowTheProbabilities() {
        var logits = new float[] {0, 1, 2, 0.5f, -1, 3, 1.5f, Float.NEGATIVE_INFINITY};
        var sampler = new Sampler(8);
        for (float temperature : new float[] {0.5f, 1, 2}) {
            for (int outputIndex = 0; outputIndex < 3; outputIndex++) {
                var state = new SamplingState(sampling(temperature, 99), outputIndex, PROMPT, 8, NO_END);
                var counts = new int[8];
                int draws = 20_000;
                for (int position = 0; position < draws; position++) {
                    counts[sampler.sample(logits, state, position).token()]++;
                }
                var expected =
                        ReferenceSampling.distribution(logits, state.parameters(), new int[0], java.util.List.of());
                double chiSquare = 0;
                for (int id = 0; id < 7; id++) {
                    double mean = expected[id] * draws;
                    chiSquare += (counts[id] - mean) * (counts[id] - mean) / mean;
                }
                assertThat(chiSquare).isLessThan(22.5); // 6 degrees of freedom, one chance in a thousand.
                assertThat(counts[7]).isZero();
            }
        }
    }

    @Test
    void aTokenDependsOnSeedOutputAndPositionAlone() {
        int size = 5000;
        var random = new Random(1);
        var logits = new float[size];
        for (int i = 0; i < size; i++) {
            logits[i] = (float) random.nextGaussian();
        }
        var sampler = new Sampler(size);
        var state = new SamplingState(sampling(1, 7), 2, PROMPT, size, NO_END);
        var inOrder = new int[50];
        for (int position = 0; position < 50; position++) {
            inOrder[position] = sampler.sample(logits, state, position).token();
        }
        var other = new SamplingState(sampling(1, 8), 0, PROMPT, size, NO_END);
        for (int position = 49; position >= 0; position--) {
            sampler.sample(logits, other, position); // Someone else's token in between changes nothing.
            var anew = new SamplingState(sampling(1, 7), 2, PROMPT, size, NO_END);
            assertThat(sampler.sample(logits, anew, position).token()).isEqualTo(inOrder[position]);
        }
    }

    @Test
    void logprobsNeitherChangeTheTokenNorSeeThePenalties() {
        var logits = new float[] {1, 4, 2, 3};
        var sampler = new Sampler(4);
        var parameters = new SamplingParameters(
                10, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(2, 50f), Set.of(), false, 0, 1, 2, SamplingParameters.NO_LOGPROBS);
        var scored = sampler.sample(logits, new SamplingState(parameters, 0, PROMPT, 4, NO_END), 0);
        assertThat(scored.token()).isEqualTo(2);
        assertThat(scored.rank()).isEqualTo(3);
        assertThat(scored.topIds()).containsExactly(1, 3);
        assertThat(scored.logprob()).isCloseTo(-2.44019f, org.assertj.core.data.Offset.offset(1e-6f));
    }

    @Test
    void noEndBeforeMinTokens() {
        var logits = new float[] {9, 8, 7, 1};
        var parameters = new SamplingParameters(10, 2, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(1), false, 0, 1, -1, -1);
        var state = new SamplingState(parameters, 0, PROMPT, 4, new int[] {0, 4, -1});
        var sampler = new Sampler(4);
        assertThat(sampler.sample(logits, state, 1).token()).isEqualTo(2);
        assertThat(sampler.sample(logits, state, 2).token()).isEqualTo(0);
    }

    @Test
    void brokenLogitsFailNamingThePosition() {
        var sampler = new Sampler(4);
        for (float temperature : new float[] {0, 1}) {
            var state = new SamplingState(sampling(temperature, 1), 0, PROMPT, 4, NO_END);
            for (float broken : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
                assertThatThrownBy(() -> sampler.sample(new float[] {1, broken, 3, 4}, state, 17))
                        .isInstanceOf(NanLogitsException.class)
                        .hasMessageContaining("output position 17")
                        .hasMessageContaining(Float.toString(broken));
            }
            float none = Float.NEGATIVE_INFINITY;
            assertThatThrownBy(() -> sampler.sample(new float[] {none, none, none, none}, state, 0))
                    .isInstanceOf(NanLogitsException.class)
                    .hasMessageContaining("no token");
            assertThat(sampler.sample(new float[] {none, none, 0, none}, state, 0)
                            .token())
                    .isEqualTo(2);
        }
        assertThatThrownBy(() -> sampler.score(new float[] {1, Float.NaN, 3, 4}, 0, 0))
                .isInstanceOf(NanLogitsException.class)
                .hasMessageContaining("token 0");
    }

    @Test
    void aSuppressedTokenDoesNotHideItsBrokenLogit() {
        var parameters = new SamplingParameters(10, 2, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(1), false, 0, 1, -1, -1);
        var state = new SamplingState(parameters, 0, PROMPT, 4, NO_END);
        assertThatThrownBy(() -> new Sampler(4).sample(new float[] {1, Float.NaN, 3, 4}, state, 0))
                .isInstanceOf(NanLogitsException.class);
    }

    @Test
    void extremeTemperaturesStayFinite() {
        var logits = new float[] {3e38f, 1, -3e38f, 3e38f};
        var sampler = new Sampler(4);
        for (float temperature : new float[] {Float.MIN_VALUE, 1e-6f, 100}) {
            var state = new SamplingState(sampling(temperature, 1), 0, PROMPT, 4, NO_END);
            for (int position = 0; position < 20; position++) {
                assertThat(sampler.sample(logits, state, position).token()).isIn(0, 3);
            }
        }
    }

    @Test
    void tokensOutsideTheVocabularyAreRefused() {
        var parameters = new SamplingParameters(10, 0, 0, 1, 0, 0, 1.1f, 0, 0, Map.of(), Set.of(), false, 0, 1, -1, -1);
        assertThatThrownBy(() -> new SamplingState(parameters, 0, new int[] {3, 4}, 4, NO_END))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("token 4");
    }

    private static SamplingParameters sampling(float temperature, long seed) {
        return new SamplingParameters(
                100_000, 0, temperature, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), false, seed, 1, -1, -1);
    }
}
