package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.protocol.SamplingParameters;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Distributions that transformers computed; see {@code sampling/make_fixtures.py}. */
class TransformersSamplingTest {
    private static final double ROUNDING = 1e-5;

    static Iterable<JsonNode> cases() {
        try (var in = TransformersSamplingTest.class.getResourceAsStream("/sampling/logits_processors.json")) {
            return new ObjectMapper().readTree(Objects.requireNonNull(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void distributionsAreThoseOfTransformers(JsonNode expected) {
        var logits = floats(expected.get("logits"));
        var seen = new int[expected.get("seen").size()];
        for (int i = 0; i < seen.length; i++) {
            seen[i] = expected.get("seen").get(i).intValue();
        }
        var state = new SamplingState(parameters(expected), 0, seen, logits.length, new int[0]);
        var sampler = new Sampler(logits.length);
        double cumulative = 0;
        for (int id = 0; id < logits.length; id++) {
            double probability = expected.get("probabilities").get(id).doubleValue();
            if (probability > 4 * ROUNDING) {
                assertThat(sampler.choose(logits, state, 0, cumulative + ROUNDING))
                        .isEqualTo(id);
                assertThat(sampler.choose(logits, state, 0, cumulative + probability - ROUNDING))
                        .isEqualTo(id);
            }
            cumulative += probability;
        }
        var logprobs = floats(expected.get("logprobs"));
        for (int id = 0; id < logits.length; id++) {
            assertThat(sampler.score(logits, id, 0).logprob()).isCloseTo(logprobs[id], Offset.offset(2e-5f));
        }
    }

    private static SamplingParameters parameters(JsonNode expected) {
        return new SamplingParameters(
                1,
                0,
                expected.get("temperature").floatValue(),
                expected.get("top_p").floatValue(),
                expected.get("top_k").intValue(),
                expected.get("min_p").floatValue(),
                expected.get("repetition_penalty").floatValue(),
                0,
                0,
                Map.of(),
                Set.of(),
                false,
                0,
                1,
                SamplingParameters.NO_LOGPROBS,
                SamplingParameters.NO_LOGPROBS);
    }

    private static float[] floats(JsonNode array) {
        var floats = new float[array.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = array.get(i).floatValue();
        }
        return floats;
    }
}
