package dev.kvasir.worker.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
    @TempDir
    private Path folder;

    @Test
    void whatIsNotFoundIsNamedWithTheVariableThatHelps() {
        assertThatThrownBy(() -> NativeLibrary.load(List.of("libnothing.so.13", "libnothing.so.12"), ""))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("libnothing.so.13")
                .hasMessageContaining("libnothing.so.12")
                .hasMessageContaining("KVASIR_CUDA_LIBRARY_PATH");
    }

    @Test
    void theUsersFoldersComeFirst() throws IOException {
        Files.writeString(folder.resolve("libnothing.so.13"), "no library");
        assertThat(NativeLibrary.folders(folder + ":/second")).startsWith(folder, Path.of("/second"));
        assertThatThrownBy(() -> NativeLibrary.load(List.of("libnothing.so.13"), folder.toString()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(folder + "/libnothing.so.13 is there but cannot be loaded");
    }
}
