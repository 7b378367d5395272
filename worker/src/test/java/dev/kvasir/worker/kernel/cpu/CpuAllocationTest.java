package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Tensors;
import dev.kvasir.worker.kernel.Weight;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A vector that is boxed instead of staying in a register costs tenfold time, and shows as garbage first: some hundred
 * kilobytes for the smallest product. In a JVM of its own, as a worker has one: what other tests have run before changes what the
 * compiler makes of these loops.
 */
final class CpuAllocationTest {
    private static final int WIDTH = 128;

    /**
     * Of 20 times two steps of 20 operations. A product that boxes makes several megabytes of it; what is far below is the
     * compiler's affair, which may leave a rare loop or two uncompiled.
     */
    private static final long BYTES_MAX = 800_000;

    /** How many steps the compiler takes to get to every loop is its own affair. */
    private static final long NANOS_MAX = 60_000_000_000L;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @ParameterizedTest
    @EnumSource(DType.class)
    void aStepAllocatesNextToNothingOnceItsCodeIsCompiled(DType type) throws IOException, InterruptedException {
        var command = new ArrayList<String>();
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(List.of(
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                CpuAllocationTest.class.getName(),
                type.name()));
        var process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var said = process.inputReader()) {
            assertThat(Long.parseLong(String.valueOf(said.readLine()))).isLessThanOrEqualTo(BYTES_MAX);
            assertThat(process.waitFor()).isZero();
        } finally {
            process.destroyForcibly();
        }
    }

    /** A program: bytes that 20 steps with a type of weights allocate. */
    public static void main(String[] arguments) {
        try (var kernels = TestKernels.deterministic(1)) {
            var layer = new Layer(kernels, DType.valueOf(arguments[0]), new SplittableRandom(1));
            long deadline = System.nanoTime() + NANOS_MAX;
            long bytes = Long.MAX_VALUE;
            while (bytes > BYTES_MAX && System.nanoTime() < deadline) {
                bytes = allocatedBy(layer);
            }
            System.out.println(bytes);
        }
    }

    private static long allocatedBy(Layer layer) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 20; i++) {
            layer.step(1);
            layer.step(6);
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }

    /** One layer's worth of every operation. */
    private static final class Layer {
        private final CpuKernels kernels;
        private final Weight weight;
        private final Weight norm;
        private final Matrix x;
        private final Matrix y;
        private final KvStorage kv;
        private final KvStorage scaled;
        private final RotaryTable rotary = new RotaryTable(new float[16], 1, false);
        private final AttentionShape shape = new AttentionShape(4, 4, 32, 0.1f, 0, 30);
        private final Batch batch = new Batch(6, 1);
        private final Activation[] activations = Activation.values();
        private final int[] tokens = new int[100];
        private final int[] table = {0, 1, 2, 3, 4, 5, 6};

        Layer(CpuKernels kernels, DType dtype, SplittableRandom random) {
            this.kernels = kernels;
            weight = kernels.load(Tensors.random(dtype, WIDTH, WIDTH, 0.1f, random));
            norm = kernels.load(Tensors.vector(dtype, Tensors.gaussian(WIDTH, 1, random)));
            x = kernels.allocate(6, WIDTH);
            y = kernels.allocate(6, WIDTH);
            kv = kernels.allocateKv(new KvLayout(1, 4, 32, 32, 16, dtype), 7);
            scaled = kernels.allocateKv(new KvLayout(1, 4, 32, 32, 16, KvFormat.FP8), 7);
        }

        void step(int rows) {
            batch.clear();
            batch.add(tokens, 94, 94 + rows, table, 94);
            kernels.embed(x, rows, weight, batch.tokenIds, 1);
            kernels.addPositions(x, rows, weight, batch.positions, 0);
            kernels.rmsNorm(x, x, rows, norm, 1e-5f, 0);
            kernels.multiply(y, x, rows, weight, norm, false);
            kernels.rotate(y, rows, 32, rotary, batch.positions);
            kernels.writeKv(kv, 0, y, y, batch);
            kernels.attend(x, y, kv, 0, batch, shape);
            kernels.writeKv(scaled, 0, y, y, batch);
            kernels.attend(x, y, scaled, 0, batch, shape);
            kernels.layerNorm(y, x, rows, norm, norm, 1e-5f);
            for (var activation : activations) {
                kernels.gate(y, x, rows, activation);
            }
            kernels.add(x, y, rows, 1);
            kernels.scale(x, rows, 1, 30);
            kernels.gather(y, x, batch.logitRows, 0, rows);
        }
    }
}
