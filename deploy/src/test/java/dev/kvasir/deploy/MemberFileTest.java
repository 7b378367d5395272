package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class MemberFileTest {
    @TempDir
    private Path folder;

    @Test
    void nothingIsLeftOfAFileThatCannotBeWritten() throws IOException {
        var taken = folder.resolve("member.json");
        Files.createDirectories(taken.resolve("not-empty"));
        assertThatThrownBy(() -> MemberFile.write(taken, "demo", addresses()))
                .isInstanceOf(CommandException.class)
                .hasMessageStartingWith("cannot write " + taken + ": ");
        try (var files = Files.list(folder)) {
            assertThat(files).containsExactly(taken);
        }
    }

    @Test
    void onlyAProcessesOwnFileIsRemoved() throws IOException {
        var path = folder.resolve("member.json");
        var file = MemberFile.write(path, "demo", addresses());
        assertThat(ApiClient.JSON.readTree(path.toFile()).path("cluster").asText())
                .isEqualTo("127.0.0.1:3");
        var others = Files.readString(path)
                .replace(Long.toString(ProcessHandle.current().pid()), "1");
        Files.writeString(path, others);
        file.remove();
        assertThat(path).exists();
        MemberFile.write(path, "demo", addresses()).remove();
        assertThat(path).doesNotExist();
    }

    private static Addresses addresses() {
        return new Addresses("127.0.0.1", 1, 2, "127.0.0.1:3", false);
    }
}
