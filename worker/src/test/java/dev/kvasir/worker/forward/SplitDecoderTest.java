package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MemoryRanks;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A model over several ranks computes what it computes alone: sums come in another order, which costs about 1e-6 of logits of
 * order one; 1e-4 is asked for, a lost part or a bias added twice costs 1e-2 or more.
 */
class SplitDecoderTest {
    private static final float TOLERANCE = 1e-4f;
    private static final int BLOCK_SIZE = 4;
    private static final int LENGTH = 33;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "llama-mha-sharded, 2", // as many KV heads as ranks
        "llama-llama3, 2", // one KV head, held by both
        "mistral-window, 2",
        "mistral-window, 4", // two KV heads, each held by two ranks
        "qwen2, 2", // biases, and a tied output projection
        "qwen3, 4", // norms of each head
        "gemma2, 2", // norms after attention and feed-forward
        "gemma2, 4",
        "gemma3-text, 4",
        "gpt2-unprefixed, 2", // learned positions, biases after sums, transposed files
        "gpt2-unprefixed, 4",
        "neox-parallel, 2" // attention and feed-forward of one input
    })
    void everyFamilyComputesOverRanksWhatItComputesAlone(String golden, int ranks) {
        var found = GoldenCase.all().stream()
                .filter(candidate -> candidate.name().equals(golden))
                .findFirst()
                .orElseThrow();
        var model = ModelFolder.open(found.folder());
        try (var weights = model.weights(ModelFolder.Check.NEVER, LoadProgress.NONE)) {
            compare(model, weights, ranks, ReferenceKernels::new);
        }
    }

    @Test
    void fusedProjectionsAreSplitAsTheirPartsAre() throws IOException {
        var model = changed("phi3", "\"num_attention_heads\": 3", "\"num_attention_heads\": 4");
        try (var weights = model.dummyWeights(DType.F32, 5, LoadProgress.NONE)) {
            compare(model, weights, 2, ReferenceKernels::new);
        }
    }

    @Test
    void aScaledResidualStreamIsScaledOnce() throws IOException {
        var model = changed("granite", "\"num_attention_heads\": 5", "\"num_attention_heads\": 4");
        try (var weights = model.dummyWeights(DType.F32, 6, LoadProgress.NONE)) {
            compare(model, weights, 2, ReferenceKernels::new);
        }
    }

    @Test
    void processorsKernelsDoTheSame() {
        var model = ModelFolder.open(GoldenCase.all().stream()
                .filter(candidate -> candidate.name().equals("qwen2"))
                .findFirst()
                .orElseThrow()
                .folder());
        try (var weights = model.weights(ModelFolder.Check.NEVER, LoadProgress.NONE)) {
            compare(model, weights, 2, () -> new CpuKernels(CpuOptions.defaults()));
        }
    }

    private ModelFolder changed(String golden, String from, String to) throws IOException {
        var original = GoldenCase.all().stream()
                .filter(candidate -> candidate.name().equals(golden))
                .findFirst()
                .orElseThrow()
                .folder();
        try (var files = Files.list(original)) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        var config = Files.readString(folder.resolve("config.json"));
        assertThat(config).contains(from);
        Files.writeString(
                folder.resolve("config.json"),
                config.replace(from, to).replace("\"hidden_size\": 40", "\"hidden_size\": 48"));
        return ModelFolder.open(folder);
    }

    private static void compare(ModelFolder model, ModelWeights weights, int ranks, Supplier<Kernels> opener) {
        var alone = logits(model, weights, 1, opener);
        var split = logits(model, weights, ranks, opener);
        assertThat(split).hasSameDimensionsAs(alone);
        for (int row = 0; row < alone.length; row++) {
            for (int token = 0; token < alone[row].length; token++) {
                assertThat(split[row][token])
                        .as("logit of token %d after position %d", token, row)
                        .isCloseTo(alone[row][token], within(TOLERANCE));
            }
        }
    }

    /** A prompt in two pieces, then tokens one by one, beside another sequence. */
    private static float[][] logits(ModelFolder model, ModelWeights weights, int count, Supplier<Kernels> opener) {
        var result = new float[LENGTH][model.config().vocabSize()];
        try (var ranks = count == 1 ? Ranks.one(opener.get()) : new MemoryRanks(count, opener)) {
            var limits = new DecoderLimits(64, 5, 64);
            var all = new RankOfTest[count];
            ranks.each(rank -> all[rank] = RankOfTest.load(ranks, rank, model, weights, limits));
            var tokens = new int[LENGTH];
            for (int i = 0; i < LENGTH; i++) {
                tokens[i] = (i * 37 + 11) % model.config().vocabSize();
            }
            int from = 0;
            for (int to : List.of(13, 29, 30, 31, 32, LENGTH)) {
                int start = from;
                ranks.each(rank -> all[rank].step(tokens, start, to, rank == 0 ? result : null));
                from = to;
            }
        }
        return result;
    }

    private record RankOfTest(Decoder decoder, KvStorage kv, Batch batch) {
        static RankOfTest load(Ranks ranks, int rank, ModelFolder model, ModelWeights weights, DecoderLimits limits) {
            var shard = new Shard(rank, ranks.count());
            var kernels = ranks.kernels(rank);
            var stored = new StoredWeights(kernels, weights, model.config(), shard, LoadProgress.NONE);
            var decoder = Decoder.loadPart(ranks, shard, model.config(), stored, limits);
            return new RankOfTest(
                    decoder, kernels.allocateKv(decoder.layout(BLOCK_SIZE, KvFormat.F32), 20), new Batch(64, 2));
        }

        void step(int[] tokens, int from, int to, float @Nullable [][] into) {
            int[] table = {3, 1, 4, 15, 9, 2, 6, 5, 8};
            int[] otherTable = {7, 0, 10, 11, 12, 13, 14, 16, 17};
            batch.clear();
            batch.add(tokens, from, to, otherTable, to);
            batch.add(tokens, from, to, table, from);
            decoder.forward(batch, kv, (index, logits, row) -> take(into, from + index, logits, row));
        }

        private static void take(float @Nullable [][] into, int position, Matrix logits, int row) {
            if (into != null) {
                logits.read(row, into[position]);
            }
        }
    }
}
