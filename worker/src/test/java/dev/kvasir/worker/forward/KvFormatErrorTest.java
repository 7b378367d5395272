package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * What shorter keys and values cost: log probabilities of a text's tokens by formats of the cache, against those with f32.
 * Each is the mean and the largest magnitude of the differences, in nats. The bounds are about twice what was found.
 */
class KvFormatErrorTest {
    private record Difference(double mean, double largest) {
        @Override
        public String toString() {
            return String.format(Locale.ROOT, "mean %.5f, largest %.4f", mean, largest);
        }
    }

    private static Difference difference(List<Double> expected, List<Double> actual) {
        var differences = IntStream.range(0, expected.size())
                .mapToDouble(i -> Math.abs(expected.get(i) - actual.get(i)))
                .summaryStatistics();
        return new Difference(differences.getAverage(), differences.getMax());
    }

    private static List<Double> logprobs(Kernels kernels, GoldenCase golden, KvFormat format) {
        var run = golden.runs().getLast();
        return new PagedRun(64, 16, format)
                .compute(kernels, golden, List.of(run))
                .getFirst()
                .promptLogprobs;
    }

    /** Random weights, where log probabilities hang on little: bf16 0.003 to 0.015 in the mean, fp8 0.03 to 0.15. */
    @Test
    void overTinyModelsOfEveryFamily() {
        for (var golden : GoldenCase.all()) {
            var exact = logprobs(new ReferenceKernels(), golden, KvFormat.F32);
            var half = difference(exact, logprobs(new ReferenceKernels(), golden, KvFormat.BF16));
            var scaled = difference(exact, logprobs(new ReferenceKernels(), golden, KvFormat.FP8));
            assertThat(half.mean()).as("%s, bf16: %s", golden.name(), half).isLessThan(0.03);
            assertThat(scaled.mean()).as("%s, fp8: %s", golden.name(), scaled).isBetween(0.01, 0.3);
        }
    }

    /** The bundled model, over conversations of its test set: 2,202 tokens; bf16 0.0020, fp8 0.0213 in the mean. */
    @Test
    void overATrainedModel() throws IOException {
        var golden = demo();
        var exact = logprobs(cpu(), golden, KvFormat.F32);
        var half = difference(exact, logprobs(cpu(), golden, KvFormat.BF16));
        var scaled = difference(exact, logprobs(cpu(), golden, KvFormat.FP8));
        assertThat(exact).hasSizeGreaterThan(2000);
        assertThat(half.mean()).as("bf16: %s", half).isLessThan(0.004);
        assertThat(scaled.mean()).as("fp8: %s", scaled).isBetween(0.005, 0.045);
    }

    private static Kernels cpu() {
        return new CpuKernels(CpuOptions.defaults());
    }

    private static GoldenCase demo() throws IOException {
        var folder = Path.of("..", "model", "demo");
        var text = new StringBuilder();
        for (var line : Files.readAllLines(folder.resolve("eval.jsonl")).subList(0, 8)) {
            for (var message : new ObjectMapper().readTree(line).get("messages")) {
                text.append(message.get("content").textValue()).append('\n');
            }
        }
        try (var tokenizer = Tokenizer.open(folder)) {
            var tokens = IntStream.of(tokenizer.encode(text.toString(), true))
                    .boxed()
                    .toList();
            return new GoldenCase(
                    folder,
                    tokens.size() + 1,
                    List.of(new GoldenCase.Expected(tokens, List.of(), List.of(0), List.of())));
        }
    }
}
