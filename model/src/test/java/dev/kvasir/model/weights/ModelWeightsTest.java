package dev.kvasir.model.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelWeightsTest {
    private static final String CONFIG = """
            {"architectures": ["GPTNeoXForCausalLM"], "vocab_size": 90, "hidden_size": 12, "intermediate_size": 20,
             "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 128}
            """;

    @TempDir
    private Path path;

    private ModelFolder folder;

    @BeforeEach
    void openFolder() throws IOException {
        Files.writeString(path.resolve("config.json"), CONFIG);
        folder = ModelFolder.open(path);
    }

    @Test
    void dummyWeightsHaveEveryShapeThatTheConfigurationCallsFor() {
        var progress = new AtomicLong();
        try (var weights = folder.dummyWeights(DType.BF16, 7, (bytes, _) -> progress.set(bytes))) {
            for (var role : WeightRole.values()) {
                if (role.perLayer()) {
                    weights.find(1, role)
                            .ifPresent(tensor -> assertThat(tensor.shape())
                                    .isEqualTo(WeightShapes.of(
                                            folder.config(),
                                            folder.config().layers().get(1),
                                            role)));
                }
            }
            assertThat(weights.find(1, WeightRole.QUERY).orElseThrow().shape()).containsExactly(12, 12);
            assertThat(weights.find(1, WeightRole.GATE)).isEmpty();
            assertThat(weights.source().byteSize()).isEqualTo(2 * WeightShapes.parameterCount(folder.config()));
            assertThat(progress).hasValue(weights.source().byteSize());
        }
    }

    @Test
    void dummyWeightsDependOnTheSeedAlone() {
        try (var one = folder.dummyWeights(DType.F32, 7, LoadProgress.NONE);
                var same = folder.dummyWeights(DType.F32, 7, LoadProgress.NONE);
                var other = folder.dummyWeights(DType.F32, 8, LoadProgress.NONE)) {
            assertThat(mismatch(one, same)).isEqualTo(-1);
            assertThat(mismatch(one, other)).isNotEqualTo(-1);
            assertThat(folder.fingerprint(one, 128)).isEqualTo(folder.fingerprint(same, 128));
            assertThat(folder.fingerprint(one, 128)).isNotEqualTo(folder.fingerprint(other, 128));
        }
    }

    private static long mismatch(ModelWeights one, ModelWeights other) {
        return embedding(one).mismatch(embedding(other));
    }

    private static MemorySegment embedding(ModelWeights weights) {
        return weights.find(WeightRole.EMBEDDING).orElseThrow().data();
    }

    @Test
    void aTensorOfAnotherShapeOrNoneIsRefused() throws IOException {
        var file = path.resolve("model.safetensors");
        TensorFile.vectors(file, "gpt_neox.embed_in.weight");
        try (var weights = folder.weights(ModelFolder.Check.WHEN_SMALL, LoadProgress.NONE)) {
            assertThatThrownBy(() -> weights.find(WeightRole.EMBEDDING))
                    .isInstanceOf(ModelFileException.class)
                    .hasMessage(file + ": gpt_neox.embed_in.weight.shape = [2]: the configuration calls for [90, 12]");
            assertThatThrownBy(() -> weights.find(0, WeightRole.KEY))
                    .hasMessage(file + ": gpt_neox.layers.0.attention.query_key_value.weight: no such tensor");
        }
    }

    @Test
    void aFolderWithoutWeightsIsRefused() {
        assertThatThrownBy(() -> folder.weights(ModelFolder.Check.NEVER, LoadProgress.NONE))
                .hasMessage(path.resolve("model.safetensors") + ": no such file");
    }

    @Test
    void fingerprintsTellWeightsApart() throws IOException {
        var file = path.resolve("model.safetensors");
        TensorFile.vectors(file, "a");
        var first = fingerprint();
        TensorFile.vectors(file, "b");
        assertThat(fingerprint()).isNotEqualTo(first);
        TensorFile.vectors(file, "a");
        assertThat(fingerprint()).isEqualTo(first).hasSize(64);
        var bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] = 1;
        Files.write(file, bytes);
        assertThat(fingerprint()).isNotEqualTo(first);
    }

    private String fingerprint() {
        try (var weights = folder.weights(ModelFolder.Check.NEVER, LoadProgress.NONE)) {
            return folder.fingerprint(weights, 128).hex();
        }
    }
}
