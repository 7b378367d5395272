package dev.kvasir.worker.forward;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import dev.kvasir.worker.kernel.cuda.CudaRanks;
import dev.kvasir.worker.kernel.cuda.ExchangeWay;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A program for a machine with several GPUs: models over all of them, by every way of exchange, against the plain-Java kernels.
 * Tokens are chosen on the devices and fed to the next step there, from recorded steps; the reference is fed the same, so that
 * GPUs that chose differently would show as other logits.
 */
final class GpuSplitRun {
    private static final int BLOCK_SIZE = 16;
    private static final int SEQUENCES = 3;
    private static final int PROMPT = 21;
    private static final int STEPS = 12;
    private static final int LENGTH = PROMPT + STEPS;
    private static final int BLOCKS = Math.ceilDiv(LENGTH, BLOCK_SIZE);

    private GpuSplitRun() {}

    /**
     * Arguments: the number of GPUs, 2 where it is not given; ways of exchange, all where none is given. Exit status 1 where
     * something is out of tolerance.
     */
    public static void main(String[] arguments) throws IOException {
        int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 2;
        var gpus = new ArrayList<GpuInfo>();
        while (gpus.size() < count && GpuSearch.at(gpus.size()) instanceof GpuSearch.Found(var gpu)) {
            gpus.add(gpu);
        }
        if (gpus.size() < count) {
            System.out.printf("%d GPUs are wanted, %d are there%n", count, gpus.size());
            System.exit(2);
        }
        int failures = 0;
        var ways = arguments.length > 1
                ? Arrays.stream(arguments).skip(1).map(ExchangeWay::valueOf).toList()
                : List.of(ExchangeWay.values());
        for (var way : ways) {
            for (var golden : GoldenCase.all()) {
                failures += golden(golden, way, gpus);
            }
            for (var type : List.of(DType.F32, DType.BF16, DType.F16)) {
                failures += larger(type, KvFormat.of(type), way, gpus);
                failures += larger(type, KvFormat.FP8, way, gpus);
            }
        }
        System.out.println(failures == 0 ? "split: all within tolerance" : "split: " + failures + " FAILED");
        System.exit(failures == 0 ? 0 : 1);
    }

    private static int golden(GoldenCase golden, ExchangeWay way, List<GpuInfo> gpus) {
        var model = ModelFolder.open(golden.folder());
        try {
            Shard.requireDivisible(model.config(), gpus.size());
        } catch (IllegalArgumentException _) {
            return 0; // Its sizes are for other tests.
        }
        try (var weights = model.weights(ModelFolder.Check.NEVER, LoadProgress.NONE)) {
            return compare(golden.name(), model, weights, DType.F32, KvFormat.F32, way, gpus);
        }
    }

    /** Sizes as real models have them, but small. */
    private static int larger(DType type, KvFormat format, ExchangeWay way, List<GpuInfo> gpus) throws IOException {
        var folder = Files.createTempDirectory("split");
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "num_hidden_layers": 3,
                 "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64, "intermediate_size": 1024,
                 "vocab_size": 1003, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                 "hidden_act": "silu", "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
                 "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16"}
                """);
        var model = ModelFolder.open(folder);
        try (var weights = model.dummyWeights(type, 7, LoadProgress.NONE)) {
            return compare("random llama", model, weights, type, format, way, gpus);
        }
    }

    private static int compare(
            String name,
            ModelFolder model,
            ModelWeights weights,
            DType type,
            KvFormat format,
            ExchangeWay way,
            List<GpuInfo> gpus) {
        double exact = switch (type) {
            case F32 -> 2e-4;
            case F16 -> 0.05;
            case BF16 -> 0.25;
        };
        // A key between two numbers of eight bits may become the other one.
        double tolerance = format == KvFormat.FP8 ? Math.max(0.25, exact) : exact;
        var tokens = new int[SEQUENCES][LENGTH];
        for (int s = 0; s < SEQUENCES; s++) {
            for (int i = 0; i < PROMPT; i++) {
                tokens[s][i] = (s * 31 + i * 17 + 5) % model.config().vocabSize();
            }
        }
        var options = new CudaOptions(0.2, Path.of("target", "cuda"), "", false, way);
        var limits = new StepLimits(SEQUENCES * PROMPT, SEQUENCES, BLOCKS);
        try {
            float[][][] split;
            try (var ranks = CudaRanks.open(gpus, type, limits, options)) {
                split = logits(ranks, model, weights, format, tokens, true);
            }
            float[][][] alone;
            try (var ranks = Ranks.one(new ReferenceKernels())) {
                alone = logits(ranks, model, weights, format, tokens, false);
            }
            double error = 0;
            for (int s = 0; s < SEQUENCES; s++) {
                for (int i = 0; i < STEPS; i++) {
                    for (int id = 0; id < alone[s][i].length; id++) {
                        double difference = Math.abs(alone[s][i][id] - split[s][i][id]);
                        error = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(error, difference);
                    }
                }
            }
            System.out.println(String.format(
                    Locale.ROOT,
                    "%-5s %-24s %-5s KV %-5s logit error %.2e %s",
                    way,
                    name,
                    type,
                    format,
                    error,
                    error <= tolerance ? "" : "BAD"));
            return error <= tolerance ? 0 : 1;
        } catch (RuntimeException e) {
            System.out.printf("%-5s %-24s %-5s FAILED %s%n", way, name, type, e);
            return 1;
        }
    }

    /** What one rank computes. */
    private record Part(Kernels kernels, Decoder decoder, KvStorage kv, Choices choices, Batch batch) {
        void forward() {
            decoder.layers(batch, kv);
            decoder.choose(choices, batch, 0, batch.logitRowCount);
        }
    }

    /** Logits after the prompt and after each token but the last; chosen tokens are written down, or given. */
    private static float[][][] logits(
            Ranks ranks, ModelFolder model, ModelWeights weights, KvFormat format, int[][] tokens, boolean choose) {
        var parts = new Part[ranks.count()];
        ranks.each(rank -> {
            var shard = new Shard(rank, ranks.count());
            var kernels = ranks.kernels(rank);
            var stored = new StoredWeights(kernels, weights, model.config(), shard, LoadProgress.NONE);
            var limits = new DecoderLimits(SEQUENCES * PROMPT, SEQUENCES, LENGTH);
            var decoder = Decoder.loadPart(ranks, shard, model.config(), stored, limits);
            parts[rank] = new Part(
                    kernels,
                    decoder,
                    kernels.allocateKv(decoder.layout(BLOCK_SIZE, format), BLOCKS * SEQUENCES),
                    kernels.allocateChoices(SEQUENCES),
                    new Batch(SEQUENCES * PROMPT, SEQUENCES));
        });
        ranks.each(rank ->
                parts[rank].kernels().prepare(parts[rank].batch(), parts[rank]::forward, PreparationProgress.NONE));
        var result = new float[SEQUENCES][STEPS][model.config().vocabSize()];
        for (int step = 0; step < STEPS; step++) {
            int to = PROMPT + step;
            ranks.each(rank -> {
                var part = parts[rank];
                part.batch().clear();
                for (int s = 0; s < SEQUENCES; s++) {
                    var table = new int[BLOCKS];
                    for (int b = 0; b < BLOCKS; b++) {
                        table[b] = b * SEQUENCES + s;
                    }
                    if (to == PROMPT) {
                        part.batch().add(tokens[s], 0, to, table, to - 1);
                    } else if (choose) {
                        part.batch().follow(s, to - 1, table);
                    } else {
                        part.batch().add(tokens[s], to - 1, to, table, to - 1);
                    }
                }
                part.kernels().compute(part.batch(), part::forward);
            });
            var chosen = parts[0].choices().read(SEQUENCES);
            ranks.each(rank -> parts[rank].decoder().bringTogether(SEQUENCES));
            chosen.await();
            for (int s = 0; s < SEQUENCES; s++) {
                parts[0].decoder().logitsMatrix().read(s, result[s][step]);
                if (choose) {
                    requireLargest(chosen.token(s), result[s][step]);
                    tokens[s][to] = chosen.token(s);
                }
            }
        }
        return result;
    }

    private static void requireLargest(int chosen, float[] logits) {
        int largest = 0;
        for (int id = 1; id < logits.length; id++) {
            largest = logits[id] > logits[largest] ? id : largest;
        }
        if (chosen != largest) {
            throw new IllegalStateException("%d was chosen, %d is the largest".formatted(chosen, largest));
        }
    }
}
