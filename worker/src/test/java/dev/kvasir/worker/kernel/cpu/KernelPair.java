package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.Tensors;
import dev.kvasir.worker.kernel.Weight;
import java.util.function.BiConsumer;
import java.util.random.RandomGenerator;

/** The same operation on the same values by the oracle and by the kernels under test. */
final class KernelPair implements AutoCloseable {
    final Kernels oracle = new ReferenceKernels();
    final Kernels tested;

    KernelPair(Kernels tested) {
        this.tested = tested;
    }

    /** Two copies of something that kernels own. */
    record Both<T>(T oracle, T tested) {}

    Both<Matrix> random(int rows, int columns, float scale, RandomGenerator random) {
        var tensor = Tensors.random(DType.F32, rows, columns, scale, random);
        return new Both<>(filled(oracle, tensor), filled(tested, tensor));
    }

    static Matrix filled(Kernels kernels, Tensor values) {
        var ids = new int[values.rows()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = i;
        }
        var matrix = kernels.allocate(values.rows(), values.columns());
        kernels.embed(matrix, values.rows(), kernels.load(values), ids, 1);
        return matrix;
    }

    Both<Weight> load(Tensor tensor) {
        return new Both<>(oracle.load(tensor), tested.load(tensor));
    }

    static void assertClose(Both<Matrix> actual, int rows, double tolerance, String what) {
        var expectedRow = new float[actual.oracle().columns()];
        var testedRow = new float[actual.oracle().columns()];
        for (int r = 0; r < rows; r++) {
            actual.oracle().read(r, expectedRow);
            actual.tested().read(r, testedRow);
            for (int c = 0; c < expectedRow.length; c++) {
                double difference = Math.abs((double) expectedRow[c] - testedRow[c]);
                if (!(difference <= tolerance * Math.max(1, Math.abs(expectedRow[c])))) {
                    assertThat(testedRow[c])
                            .as("%s, row %d, column %d", what, r, c)
                            .isEqualTo(expectedRow[c]);
                }
            }
        }
    }

    static <T> void both(Both<T> first, KernelPair pair, BiConsumer<Kernels, T> operation) {
        operation.accept(pair.oracle, first.oracle());
        operation.accept(pair.tested, first.tested());
    }

    @Override
    public void close() {
        oracle.close();
        tested.close();
    }
}
