package dev.kvasir.worker.kernel.check;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.StoredFloats;
import dev.kvasir.worker.kernel.Weight;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;

/** The same operations on the same values by the reference and by the kernels under test. Keeps the largest difference. */
final class CheckedPair implements AutoCloseable {
    final Kernels reference = new ReferenceKernels();
    final Kernels tested;
    final DType type;
    final SplittableRandom random;
    private int cases;
    private double error;

    /** @param type of activations: inputs are numbers that it holds exactly */
    CheckedPair(Kernels tested, DType type, long seed) {
        this.tested = tested;
        this.type = type;
        this.random = new SplittableRandom(seed);
    }

    /** Two copies of something that kernels own. */
    record Both<T>(T reference, T tested) {}

    Both<Matrix> matrix(int rows, int columns, float scale) {
        var values = tensor(rows, columns, scale);
        return new Both<>(filled(reference, values), filled(tested, values));
    }

    Both<Matrix> empty(int rows, int columns) {
        return new Both<>(reference.allocate(rows, columns), tested.allocate(rows, columns));
    }

    private static Matrix filled(Kernels kernels, Tensor values) {
        var ids = new int[values.rows()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = i;
        }
        var matrix = kernels.allocate(values.rows(), values.columns());
        kernels.embed(matrix, values.rows(), kernels.load(values), ids, 1);
        return matrix;
    }

    Both<Weight> weight(int rows, int columns, float scale) {
        return load(tensor(rows, columns, scale));
    }

    Both<Weight> vector(int columns, float scale) {
        var tensor = tensor(1, columns, scale);
        return load(new Tensor("check", type, List.of(columns), tensor.data()));
    }

    Both<Weight> load(Tensor tensor) {
        return new Both<>(reference.load(tensor), tested.load(tensor));
    }

    private Tensor tensor(int rows, int columns, float scale) {
        var data = Arena.ofAuto().allocate((long) rows * columns * type.bytes(), 64);
        for (long i = 0; i < (long) rows * columns; i++) {
            StoredFloats.set(data, type, i, (float) random.nextGaussian() * scale);
        }
        return new Tensor("check", type, List.of(rows, columns), data);
    }

    /** Notes how far rows [0, rows) differ. */
    void compare(Both<Matrix> actual, int rows) {
        var expectedRow = new float[actual.reference().columns()];
        var testedRow = new float[actual.reference().columns()];
        for (int r = 0; r < rows; r++) {
            actual.reference().read(r, expectedRow);
            actual.tested().read(r, testedRow);
            for (int c = 0; c < expectedRow.length; c++) {
                note(expectedRow[c], testedRow[c]);
            }
        }
        cases++;
    }

    /** Notes two numbers that must be equal. */
    void same(long expected, long actual) {
        if (expected != actual) {
            error = Double.POSITIVE_INFINITY;
        }
        cases++;
    }

    private void note(float expected, float actual) {
        double difference = Math.abs((double) expected - actual) / Math.max(1, Math.abs(expected));
        error = Math.max(error, Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference);
    }

    double error() {
        return error;
    }

    int cases() {
        return cases;
    }

    void restart() {
        error = 0;
        cases = 0;
    }

    @Override
    public void close() {
        reference.close();
    }
}
