package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.StoredFloats;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/**
 * Tells, before a library computes anything that counts, whether its products are right on this machine with these threads.
 * Products are small and many, as threads that spoil each other's memory show only now and then.
 */
final class ProductCheck {
    private static final int OUTPUTS = 1024;
    private static final int COLUMNS = 256;
    private static final int[] ROWS = {4, 16, 48};
    private static final int RUNS = 20;

    /** Of sums of some hundred products of size 1/16, inputs rounded to bf16: right ones differ by some thousandths. */
    private static final float TOLERANCE = 0.05f;

    /** A way to compute out = in . weight^T. */
    interface Product {
        void run(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight);
    }

    private ProductCheck() {}

    static boolean agree(Product tested, Product trusted) {
        var random = new SplittableRandom(1);
        try (var arena = Arena.ofShared()) {
            var data = arena.allocate(2L * OUTPUTS * COLUMNS, 64);
            for (int i = 0; i < OUTPUTS * COLUMNS; i++) {
                StoredFloats.set(data, DType.BF16, i, (random.nextFloat() - 0.5f) / 8);
            }
            var weight = new CpuWeight(OUTPUTS, COLUMNS, DType.BF16, data.address(), data);
            for (int rows : ROWS) {
                if (!agree(tested, trusted, rows, weight, random, arena)) {
                    return false;
                }
            }
            return true;
        }
    }

    private static boolean agree(
            Product tested, Product trusted, int rows, CpuWeight weight, SplittableRandom random, Arena arena) {
        var in = matrix(arena, rows, COLUMNS);
        for (int i = 0; i < rows * COLUMNS; i++) {
            StoredFloats.set(in.data(), DType.F32, i, 2 * random.nextFloat() - 1);
        }
        var expected = matrix(arena, rows, OUTPUTS);
        trusted.run(expected, in, rows, weight);
        var actual = matrix(arena, rows, OUTPUTS);
        for (int run = 0; run < RUNS; run++) {
            actual.data().fill((byte) 0);
            tested.run(actual, in, rows, weight);
            for (int i = 0; i < rows * OUTPUTS; i++) {
                float difference = Memory.get(actual.address() + 4L * i) - Memory.get(expected.address() + 4L * i);
                if (!(Math.abs(difference) <= TOLERANCE)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static CpuMatrix matrix(Arena arena, int rows, int columns) {
        var data = arena.allocate(4L * rows * columns, 64);
        return new CpuMatrix(rows, columns, columns, data.address(), data);
    }
}
