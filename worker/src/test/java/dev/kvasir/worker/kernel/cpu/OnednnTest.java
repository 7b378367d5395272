package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Tensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
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

    @Test
    void weightsInItsOwnOrderGiveTheSameProductAndAreBounded() throws IOException {
        var random = new SplittableRandom(5);
        var onednn = Onednn.load(Path.of("target", "native-libraries"));
        int columns = 96;
        int rows = 5;
        try (var kernels = TestKernels.deterministic(1);
                var arena = Arena.ofConfined();
                var weights = new OnednnWeights(onednn, onednn.stream(), 200 * columns * 4 + 100_000)) {
            var weight = (CpuWeight) kernels.load(Tensors.random(DType.F32, 200, columns, 1, random));
            var packed = weights.of(weight, 128);
            assertThat(packed).isNotNull();
            assertThat(weights.of(weight, 128)).isSameAs(packed);
            assertThat(weights.of((CpuWeight) kernels.load(Tensors.random(DType.F32, 2000, columns, 1, random)), 128))
                    .isNull();
            var in = arena.allocateFrom(ValueLayout.JAVA_FLOAT, Tensors.gaussian(rows * columns, 1, random));
            for (int part = 0; part < 2; part++) {
                int outputs = Math.min(128, 200 - 128 * part);
                var own = arena.allocate(4L * rows * outputs, 64);
                var plain = arena.allocate(4L * rows * outputs, 64);
                var order = weights.order(outputs, columns, DType.F32);
                try (var product = new OnednnProduct(onednn, rows, outputs, columns, DType.F32, order, 1)) {
                    product.run(0, onednn.stream(), in.address(), packed.address(part), own.address());
                }
                long from = weight.row(128 * part);
                onednn.multiplyFloats(
                        rows, outputs, columns, in.address(), columns, from, columns, plain.address(), outputs);
                assertThat(own.toArray(ValueLayout.JAVA_FLOAT))
                        .containsExactly(plain.toArray(ValueLayout.JAVA_FLOAT), within(1e-4f));
            }
        }
    }
}
