package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * c[4, 2 vectors] += a[4, k] . b[k, 2 vectors] within one array, for short k where sums over lanes would dominate dot
 * products. Each element of c adds along k in ascending order.
 */
final class BroadcastTile {
    static final int ROWS = 4;
    static final int COLUMNS = 2 * LANES;

    private BroadcastTile() {}

    /** Rows of a, b and c are {@code aStep}, {@code bStep} and {@code cStep} floats apart. */
    static void add(float[] array, int a, int aStep, int b, int bStep, int c, int cStep, int steps) {
        int c1 = c + cStep;
        int c2 = c1 + cStep;
        int c3 = c2 + cStep;
        var s00 = FloatVector.fromArray(FLOATS, array, c);
        var s01 = FloatVector.fromArray(FLOATS, array, c + LANES);
        var s10 = FloatVector.fromArray(FLOATS, array, c1);
        var s11 = FloatVector.fromArray(FLOATS, array, c1 + LANES);
        var s20 = FloatVector.fromArray(FLOATS, array, c2);
        var s21 = FloatVector.fromArray(FLOATS, array, c2 + LANES);
        var s30 = FloatVector.fromArray(FLOATS, array, c3);
        var s31 = FloatVector.fromArray(FLOATS, array, c3 + LANES);
        int a1 = a + aStep;
        int a2 = a1 + aStep;
        int a3 = a2 + aStep;
        for (int k = 0; k < steps; k++) {
            var left = FloatVector.fromArray(FLOATS, array, b + k * bStep);
            var right = FloatVector.fromArray(FLOATS, array, b + k * bStep + LANES);
            var first = FloatVector.broadcast(FLOATS, array[a + k]);
            s00 = first.fma(left, s00);
            s01 = first.fma(right, s01);
            var second = FloatVector.broadcast(FLOATS, array[a1 + k]);
            s10 = second.fma(left, s10);
            s11 = second.fma(right, s11);
            var third = FloatVector.broadcast(FLOATS, array[a2 + k]);
            s20 = third.fma(left, s20);
            s21 = third.fma(right, s21);
            var fourth = FloatVector.broadcast(FLOATS, array[a3 + k]);
            s30 = fourth.fma(left, s30);
            s31 = fourth.fma(right, s31);
        }
        s00.intoArray(array, c);
        s01.intoArray(array, c + LANES);
        s10.intoArray(array, c1);
        s11.intoArray(array, c1 + LANES);
        s20.intoArray(array, c2);
        s21.intoArray(array, c2 + LANES);
        s30.intoArray(array, c3);
        s31.intoArray(array, c3 + LANES);
    }
}
