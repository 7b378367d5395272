package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.random.RandomGenerator;

/** Stored tensors made of floats. */
public final class Tensors {
    private Tensors() {}

    public static Tensor vector(DType dtype, float... values) {
        return tensor(dtype, List.of(values.length), values);
    }

    public static Tensor matrix(DType dtype, int rows, int columns, float... values) {
        return tensor(dtype, List.of(rows, columns), values);
    }

    /** Normally distributed elements. */
    public static Tensor random(DType dtype, int rows, int columns, float scale, RandomGenerator random) {
        return matrix(dtype, rows, columns, gaussian(rows * columns, scale, random));
    }

    public static float[] gaussian(int count, float scale, RandomGenerator random) {
        var values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian() * scale;
        }
        return values;
    }

    private static Tensor tensor(DType dtype, List<Integer> shape, float[] values) {
        var data = Arena.ofAuto().allocate((long) values.length * dtype.bytes(), 64);
        for (int i = 0; i < values.length; i++) {
            StoredFloats.set(data, dtype, i, values[i]);
        }
        return new Tensor("test", dtype, shape, data);
    }
}
