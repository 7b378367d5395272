package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.WeightShapes;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.ReferenceKernels;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DecoderTest {
    private static final DecoderLimits LIMITS = new DecoderLimits(8, 3, 128);

    @Test
    void everyFamilyRunsOnDummyWeights() {
        for (var golden : GoldenCase.all()) {
            var folder = ModelFolder.open(golden.folder());
            var limits = new DecoderLimits(8, 3, golden.servedLength());
            try (var weights = folder.dummyWeights(DType.F16, 1, LoadProgress.NONE);
                    var kernels = new ReferenceKernels()) {
                var decoder = Decoder.load(kernels, folder.config(), weights, limits);
                var batch = new Batch(8, 1);
                batch.add(new int[] {5, 6, 7, 8, 9}, 0, 5, new int[] {0}, 0);
                var logits = new float[folder.config().vocabSize()];
                decoder.forward(batch, kernels.allocateKv(decoder.layout(8, KvFormat.F16), 1), (_, matrix, row) -> {
                    matrix.read(row, logits);
                    for (float logit : logits) {
                        assertThat(logit).as(golden.name()).isFinite().isBetween(-1e4f, 1e4f);
                    }
                });
            }
        }
    }

    @Test
    void logitsComeInOrderForTheRowsThatWantThemAndNoOthers() {
        var folder = ModelFolder.open(GoldenCase.all().getFirst().folder());
        try (var weights = folder.weights(ModelFolder.Check.ALWAYS, LoadProgress.NONE);
                var kernels = new ReferenceKernels()) {
            var decoder = Decoder.load(kernels, folder.config(), weights, LIMITS);
            var kv = kernels.allocateKv(decoder.layout(8, KvFormat.F32), 1);
            var batch = new Batch(8, 1);
            int[] tokens = {5, 6, 7, 8, 9, 10, 11};
            assertThat(logitRows(decoder, batch, kv, tokens, 2)).containsExactly(0, 1, 2, 3, 4);
            assertThat(logitRows(decoder, batch, kv, tokens, tokens.length)).isEmpty();
        }
    }

    private static List<Integer> logitRows(Decoder decoder, Batch batch, KvStorage kv, int[] tokens, int logitsFrom) {
        batch.clear();
        batch.add(tokens, 0, tokens.length, new int[] {0}, logitsFrom);
        var rows = new ArrayList<Integer>();
        decoder.forward(batch, kv, (index, _, row) -> {
            assertThat(row).isEqualTo(index % LIMITS.logitRowsMax());
            rows.add(index);
        });
        return rows;
    }

    @Test
    void learnedPositionsBoundTheServedLength() {
        var gpt2 = GoldenCase.all().stream()
                .filter(golden -> golden.name().equals("gpt2"))
                .findFirst()
                .orElseThrow();
        var folder = ModelFolder.open(gpt2.folder());
        try (var weights = folder.weights(ModelFolder.Check.ALWAYS, LoadProgress.NONE);
                var kernels = new ReferenceKernels()) {
            assertThatThrownBy(() -> Decoder.load(kernels, folder.config(), weights, new DecoderLimits(8, 3, 129)))
                    .hasMessage("GPT2LMHeadModel has 128 learned positions, fewer than the served length 129");
        }
    }

    @Test
    void memoryIsKnownBeforeAnythingIsAllocated() {
        var config = ModelFolder.open(GoldenCase.all().getFirst().folder()).config();
        var memory = ModelMemory.of(config, LIMITS, 16, KvFormat.BF16);
        assertThat(memory.parameterCount()).isEqualTo(WeightShapes.parameterCount(config));
        assertThat(memory.weightBytes(DType.F32)).isEqualTo(4 * memory.parameterCount());
        assertThat(memory.bytesPerBlock())
                .isEqualTo(ModelMemory.layout(config, 16, KvFormat.BF16).bytesPerBlock());
        assertThat(memory.blocksIn(memory.bytesPerBlock() * 10 + 1)).isEqualTo(10);
        assertThat(memory.activationBytes()).isPositive();
    }
}
