package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OnednnTest {
    @BeforeEach
    void onlyWhereItsLibrariesRun() {
        assumeTrue((System.getProperty("os.name") + System.getProperty("os.arch")).equals("Linuxamd64"));
    }

    @Test
    void librariesAreUnpackedOnceAndAgainWhenDamaged(@TempDir Path cache) throws IOException {
        var files = new OnednnFiles(cache);
        var library = files.unpacked("opencl", "libOpenCL.so.1");
        byte[] content = Files.readAllBytes(library);
        var written = Files.getLastModifiedTime(library);
        assertThat(files.unpacked("opencl", "libOpenCL.so.1")).isEqualTo(library);
        assertThat(Files.getLastModifiedTime(library)).isEqualTo(written);
        Files.writeString(library, "damaged");
        files.unpacked("opencl", "libOpenCL.so.1");
        assertThat(library).hasBinaryContent(content);
    }

    @Test
    void itMultiplies() throws IOException {
        var onednn = Onednn.load(Path.of("target", "native-libraries"));
        try (var arena = Arena.ofConfined()) {
            var a = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2, 3, 4, 5, 6);
            var b = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 0, 1, 0, 2, 0);
            var c = arena.allocate(ValueLayout.JAVA_FLOAT, 4);
            onednn.multiplyFloats(2, 2, 3, a.address(), 3, b.address(), 3, c.address(), 2);
            assertThat(c.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(new float[] {4, 4, 10, 10}, within(0f));
        }
    }
}
