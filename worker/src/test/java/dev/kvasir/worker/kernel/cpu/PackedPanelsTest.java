package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Tensors;
import java.util.ArrayList;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class PackedPanelsTest {
    private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 17));
    private final WorkerThreads threads = new WorkerThreads(2);
    private final CpuKernels kernels = TestKernels.deterministic(2);

    @AfterEach
    void close() {
        kernels.close();
        threads.close();
    }

    private CpuWeight weight(DType dtype, int outputs, int columns) {
        return (CpuWeight) kernels.load(Tensors.random(dtype, outputs, columns, 1, random));
    }

    @Test
    void everyWeightIsAtItsPlaceAndTheRestIsZero() {
        for (int outputs : new int[] {PAIR, PAIR + 1, 2 * PAIR - 1, 5 * PAIR}) {
            for (int columns : new int[] {1, 2, 7, 256, 257, 700}) {
                var weight = weight(DType.BF16, outputs, columns);
                try (var packed = new PackedPanels(threads, 1 << 20)) {
                    var panels = packed.of(weight);
                    assertThat(panels).isNotNull();
                    assertThat(panels.count()).isEqualTo(Math.ceilDiv(outputs, PAIR));
                    for (int i = 0; i < panels.count() * PAIR; i++) {
                        for (int k = 0; k < columns; k++) {
                            long at = panels.address(i / PAIR) + 2L * PAIR * k;
                            short actual = Memory.getShort(at + 4L * (i % LANES) + 2L * (i % PAIR / LANES));
                            short expected = i < outputs ? Memory.getShort(weight.row(i) + 2L * k) : 0;
                            assertThat(actual)
                                    .as("output %d of %d, k %d of %d", i, outputs, k, columns)
                                    .isEqualTo(expected);
                        }
                    }
                }
            }
        }
    }

    @Test
    void weightsArePackedOnceAndWithinTheLimit() {
        long bytes = 2L * 4 * PAIR * 100;
        try (var packed = new PackedPanels(threads, 2 * bytes)) {
            var first = weight(DType.BF16, 4 * PAIR, 100);
            var large = weight(DType.BF16, 8 * PAIR, 100);
            var panels = packed.of(first);
            assertThat(panels).isNotNull();
            assertThat(packed.of(first)).isSameAs(panels);
            assertThat(packed.of(large)).isNull();
            assertThat(packed.of(weight(DType.BF16, 4 * PAIR, 100))).isNotNull();
            assertThat(packed.of(weight(DType.BF16, PAIR, 1))).isNull();
            assertThat(packed.of(first)).isSameAs(panels);
        }
    }

    @Test
    void othersThanMatricesOfBf16AreNot() {
        try (var packed = new PackedPanels(threads, 1 << 20)) {
            assertThat(packed.of(weight(DType.F32, PAIR, 8))).isNull();
            assertThat(packed.of(weight(DType.F16, PAIR, 8))).isNull();
            assertThat(packed.of(weight(DType.BF16, PAIR - 1, 8))).isNull();
        }
    }

    @Test
    void progressIsToldAndNeverMoreThanAll() {
        var told = new ArrayList<Integer>();
        try (var packed = new PackedPanels(threads, 1 << 20)) {
            packed.report((done, _) -> told.add(done), 2);
            for (int i = 0; i < 3; i++) {
                packed.of(weight(DType.BF16, PAIR, 8));
            }
        }
        assertThat(told).containsExactly(1, 2, 2);
    }

    /** Every number of rows meets every remainder of panels and stretches. */
    @Test
    void productsAreRightForAnyNumberOfRows() {
        for (int rows = 1; rows <= 70; rows++) {
            int outputs = PAIR + random.nextInt(9 * PAIR);
            int columns = 1 + random.nextInt(1200);
            var weight = weight(DType.BF16, outputs, columns);
            float[] inputs = Tensors.gaussian(rows * columns, 1, random);
            var in = KernelPair.filled(kernels, Tensors.matrix(DType.F32, rows, columns, inputs));
            var out = kernels.allocate(rows, outputs);
            kernels.multiply(out, in, rows, weight, null, false);
            var actual = new float[outputs];
            for (int row = 0; row < rows; row++) {
                out.read(row, actual);
                int output = random.nextInt(outputs);
                double sum = 0;
                for (int k = 0; k < columns; k++) {
                    sum += (double) inputs[row * columns + k] * Packing.element(DType.BF16, weight.row(output), k);
                }
                assertThat((double) actual[output])
                        .as("row %d of %d, output %d of %d, %d columns", row, rows, output, outputs, columns)
                        .isCloseTo(sum, within(1e-6 * columns));
            }
        }
    }
}
