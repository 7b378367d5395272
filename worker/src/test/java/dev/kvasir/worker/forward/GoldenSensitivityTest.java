package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.worker.kernel.ReferenceKernels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GoldenTest would notice: a model with one choice made slightly wrong is out of tolerance. */
class GoldenSensitivityTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama-gqa          | \"rope_theta\": 10000.0         | \"rope_theta\": 10100.0",
                "llama-linear       | \"factor\": 4.0                 | \"factor\": 4.1",
                "llama-dynamic      | \"factor\": 3.0                 | \"factor\": 3.1",
                "llama-llama3       | \"high_freq_factor\": 4.0       | \"high_freq_factor\": 4.4",
                "llama-yarn         | \"factor\": 4.0                 | \"factor\": 4.1",
                "llama-yarn-scaled  | \"mscale\": 1.0                 | \"mscale\": 1.1",
                "llama-yarn-scaled  | \"truncate\": false             | \"truncate\": true",
                "mistral-window     | \"sliding_window\": 12          | \"sliding_window\": 13",
                "qwen2              | \"sliding_attention\"           | \"full_attention\"",
                "qwen3              | \"rms_norm_eps\": 1e-06         | \"rms_norm_eps\": 1e-02",
                "phi3               | \"partial_rotary_factor\": 0.75 | \"partial_rotary_factor\": 0.7",
                "phi3-longrope      | 2.2                             | 2.3",
                "smollm3            | \"sliding_window\": 10          | \"sliding_window\": 9",
                "granite            | \"residual_multiplier\": 0.6    | \"residual_multiplier\": 0.61",
                "granite            | \"logits_scaling\": 0.7         | \"logits_scaling\": 0.71",
                "gemma2             | \"attn_logit_softcapping\": 5.0 | \"attn_logit_softcapping\": 5.5",
                "gemma2             | \"final_logit_softcapping\": 8.0 | \"final_logit_softcapping\": 8.1",
                "gemma2             | \"gelu_pytorch_tanh\"           | \"gelu\"",
                "gemma3-text        | \"sliding_window\": 11          | \"sliding_window\": 12",
                "gemma3-nested      | \"rope_local_base_freq\": 10000.0 | \"rope_local_base_freq\": 11000.0",
                "neox-parallel      | \"use_parallel_residual\": true | \"use_parallel_residual\": false",
                "neox-sequential    | \"rotary_pct\": 0.5             | \"rotary_pct\": 0.4",
                "gpt2               | \"layer_norm_epsilon\": 1e-05   | \"layer_norm_epsilon\": 1e-02",
                "gpt2-unprefixed    | \"scale_attn_by_inverse_layer_idx\": true | \"scale_attn_by_inverse_layer_idx\": false",
            })
    void oneWrongChoiceIsOutOfTolerance(String name, String right, String wrong) throws IOException {
        var golden = GoldenCase.all().stream()
                .filter(candidate -> candidate.name().equals(name))
                .findFirst()
                .orElseThrow();
        try (var files = Files.list(golden.folder())) {
            for (var file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        var config = Files.readString(folder.resolve("config.json"));
        assertThat(config).contains(right);
        Files.writeString(folder.resolve("config.json"), config.replace(right, wrong));
        var changed = new GoldenCase(folder, golden.servedLength(), golden.runs());
        assertThat(largestDifference(changed)).isGreaterThan(2 * GoldenTest.TOLERANCE);
    }

    private static double largestDifference(GoldenCase golden) {
        var longest = golden.runs().getLast();
        var sequence = new PagedRun(1024, 16)
                .compute(new ReferenceKernels(), golden, List.of(longest))
                .getFirst();
        double largest = 0;
        for (int i = 0; i < longest.promptLogprobs().size(); i++) {
            double difference =
                    sequence.promptLogprobs.get(i) - longest.promptLogprobs().get(i);
            largest = Math.max(largest, Math.abs(difference));
        }
        return largest;
    }
}
