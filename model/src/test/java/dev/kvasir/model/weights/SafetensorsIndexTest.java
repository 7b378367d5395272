package dev.kvasir.model.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsIndexTest {
    @TempDir
    private Path parent;

    private Path folder;
    private Path index;

    @BeforeEach
    void makeFolder() throws IOException {
        folder = Files.createDirectory(parent.resolve("model"));
        index = folder.resolve("model.safetensors.index.json");
    }

    @Test
    void shardsTogetherHoldAllTensors() throws IOException {
        TensorFile.vectors(folder.resolve("1.safetensors"), "a", "b");
        TensorFile.vectors(folder.resolve("2.safetensors"), "c");
        write("{\"a\": \"1.safetensors\", \"b\": \"1.safetensors\", \"c\": \"2.safetensors\"}");
        try (var weights = SafetensorsFolder.open(folder)) {
            assertThat(weights.names()).containsExactly("a", "b", "c");
            assertThat(weights.byteSize()).isEqualTo(24);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "C:x", "a\\\\b"})
    void shardsOutsideTheFolderAreRefused(String shard) throws IOException {
        TensorFile.vectors(parent.resolve("x.safetensors"), "a");
        write("{\"a\": \"%s\"}".formatted(shard));
        assertRefused("weight_map.a = \"%s\": must be the plain name of a file in the same folder".formatted(shard));
    }

    @Test
    void linksOutOfTheFolderAreRefused() throws IOException {
        TensorFile.vectors(parent.resolve("x.safetensors"), "a");
        Files.createSymbolicLink(folder.resolve("1.safetensors"), parent.resolve("x.safetensors"));
        write("{\"a\": \"1.safetensors\"}");
        assertRefused("weight_map.a = \"1.safetensors\": is a link out of the folder");
    }

    @Test
    void aFolderOfLinksIntoOneDownloadCacheIsAccepted() throws IOException {
        var cache = Files.createDirectory(parent.resolve("blobs"));
        TensorFile.vectors(cache.resolve("4f3a"), "a");
        Files.createSymbolicLink(folder.resolve("1.safetensors"), cache.resolve("4f3a"));
        Files.writeString(cache.resolve("77aa"), "{\"weight_map\": {\"a\": \"1.safetensors\"}}");
        Files.createSymbolicLink(index, cache.resolve("77aa"));
        try (var weights = SafetensorsFolder.open(folder)) {
            assertThat(weights.names()).containsExactly("a");
        }
    }

    @Test
    void missingShardsAndTensorsAreRefused() throws IOException {
        write("{\"a\": \"1.safetensors\"}");
        assertRefused("weight_map.a = \"1.safetensors\": no such file");
        TensorFile.vectors(folder.resolve("1.safetensors"), "a");
        write("{\"a\": \"1.safetensors\", \"b\": \"1.safetensors\"}");
        assertRefused("weight_map.b = 1.safetensors: the shard has no such tensor");
        write("{\"a\": 1}");
        assertRefused("weight_map.a = 1: must be a string");
        Files.writeString(index, "{}");
        assertRefused("weight_map: is missing");
    }

    @Test
    void aTensorInTwoShardsIsRefused() throws IOException {
        var first = folder.resolve("1.safetensors");
        var second = folder.resolve("2.safetensors");
        TensorFile.vectors(first, "a", "b");
        TensorFile.vectors(second, "b");
        write("{\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}");
        assertThatThrownBy(() -> SafetensorsFolder.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessage("%s: b: is also in %s".formatted(second, first));
    }

    @Test
    void aTensorThatTheIndexLeavesOutIsRefused() throws IOException {
        TensorFile.vectors(folder.resolve("1.safetensors"), "a", "b");
        write("{\"a\": \"1.safetensors\"}");
        assertThatThrownBy(() -> SafetensorsFolder.open(folder))
                .hasMessage("%s: b: is not in %s".formatted(folder.resolve("1.safetensors"), index));
    }

    private void write(String weightMap) throws IOException {
        Files.writeString(index, "{\"weight_map\": %s}".formatted(weightMap));
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> SafetensorsFolder.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessage(index + ": " + message);
    }
}
