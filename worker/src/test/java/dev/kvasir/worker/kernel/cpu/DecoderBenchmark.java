package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Tokens per second of the Llama 1.1B geometry with random bf16 weights: generation for 1 and 16 sequences at context 128,
 * and a prompt of 512 tokens, against what bandwidth and arithmetic allow, with the mean milliseconds of each operation.
 *
 * <p>Arguments as of {@link BenchmarkArguments}, then rounds of generation.
 */
final class DecoderBenchmark {
    private static final String CONFIG = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 2048,
             "intermediate_size": 5632, "max_position_embeddings": 2048, "num_attention_heads": 32,
             "num_hidden_layers": 22, "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
             "tie_word_embeddings": false, "vocab_size": 32000, "bos_token_id": 1, "eos_token_id": 2}
            """;

    /** Parameters that every token meets: all but the embedding table. */
    private static final double PARAMETERS =
            22.0 * (2 * 2048 * 2048 + 2 * 256 * 2048 + 3 * 2048 * 5632) + 32000.0 * 2048;

    private static final double LAYER_PARAMETERS = PARAMETERS - 32000.0 * 2048;
    private static final int CONTEXT = 128;

    private final TimedKernels kernels;
    private final Decoder decoder;
    private final KvStorage kv;
    private final Measurement measurement;

    private DecoderBenchmark(TimedKernels kernels, Decoder decoder, KvStorage kv, int threads) {
        this.kernels = kernels;
        this.decoder = decoder;
        this.kv = kv;
        measurement = new Measurement(new WorkerThreads(threads));
    }

    public static void main(String[] arguments) throws IOException {
        var options = BenchmarkArguments.options(arguments);
        int rounds = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 5;
        var folder = Files.createTempDirectory("llama-1.1b");
        Files.writeString(folder.resolve("config.json"), CONFIG);
        var model = ModelFolder.open(folder);
        try (var weights = model.dummyWeights(DType.BF16, 1, LoadProgress.NONE);
                var kernels = new TimedKernels(new CpuKernels(options))) {
            System.out.println(kernels.describe());
            var decoder = Decoder.load(kernels, model.config(), weights, new DecoderLimits(512, 16, 2048));
            var kv = kernels.allocateKv(decoder.layout(16, KvFormat.BF16), 16 * 33);
            new DecoderBenchmark(kernels, decoder, kv, options.threads()).run(rounds);
        }
        Files.delete(folder.resolve("config.json"));
        Files.delete(folder);
    }

    private void run(int rounds) {
        compare("prompt of 512", 512, LAYER_PARAMETERS, () -> step(1, 0, 512), 2);
        // In turns, so that what disturbs the machine disturbs both.
        var ratios = new double[rounds];
        for (int round = 0; round < rounds; round++) {
            double one = compare("1 sequence", 1, PARAMETERS, () -> step(1, CONTEXT, CONTEXT + 1), 7);
            double sixteen = compare("16 sequences", 16, PARAMETERS, () -> step(16, CONTEXT, CONTEXT + 1), 3);
            ratios[round] = 16 * one / sixteen;
        }
        Arrays.sort(ratios);
        System.out.printf("16 sequences give %.2f times the tokens/s of one (median)%n", ratios[rounds / 2]);
    }

    /** Median seconds of a step; ceilings are measured before and after. */
    private double compare(String what, int tokens, double parameters, Runnable step, int runs) {
        measurement.median(Math.max(1, runs / 3), step);
        double peakBefore = measurement.peakFlops();
        double bandwidthBefore = measurement.bandwidth();
        kernels.breakdown(1);
        double seconds = measurement.median(runs, step);
        String breakdown = kernels.breakdown(runs);
        double peak = (peakBefore + measurement.peakFlops()) / 2;
        double bandwidth = (bandwidthBefore + measurement.bandwidth()) / 2;
        System.out.printf(
                "%s: %.1f tokens/s, %.1f ms; %.0f %% of bandwidth (%.1f GB/s), %.1f GFLOP/s, %.0f %% of f32 peak (%.0f)%n",
                what,
                tokens / seconds,
                seconds * 1e3,
                100 * 2 * parameters / seconds / bandwidth,
                bandwidth * 1e-9,
                2e-9 * parameters * tokens / seconds,
                100 * 2 * parameters * tokens / seconds / peak,
                peak * 1e-9);
        System.out.println("  milliseconds: " + breakdown);
        return seconds;
    }

    private void step(int sequences, int from, int to) {
        var batch = new Batch(512, sequences);
        int[] tokens = new int[to];
        for (int s = 0; s < sequences; s++) {
            int first = 33 * s;
            batch.add(tokens, from, to, IntStream.range(first, first + 33).toArray(), to - 1);
        }
        var row = new float[32000];
        decoder.forward(batch, kv, (_, logits, index) -> logits.read(index, row));
    }
}
