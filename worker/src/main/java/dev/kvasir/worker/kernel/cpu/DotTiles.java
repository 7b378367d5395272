package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import jdk.incubator.vector.FloatVector;

/**
 * Dot products along k of input rows with weight rows, a tile of two by four in registers. Each element of the result owns
 * one vector accumulator, to which groups of {@code LANES} elements of k are added in ascending order; so its value does
 * not depend on the tile that computes it.
 *
 * <p>Both sides are packed so that one step of k is contiguous, in heap arrays: with native memory, or with tiles that need
 * all sixteen registers, the compiled loop runs at half the speed.
 *
 * <pre>
 * inputs        [pair of rows][k / LANES][2 rows][lane]
 * weights       [four outputs][k / LANES][4 outputs][lane]
 * accumulators  [pair of rows][2 rows][4 outputs][lane]
 * </pre>
 */
final class DotTiles {
    static final int ROWS = 2;
    static final int OUTPUTS = 4;

    /** Floats of accumulators of one tile. */
    static final int ACCUMULATORS = ROWS * OUTPUTS * LANES;

    private DotTiles() {}

    /** Adds {@code steps} groups of k to a tile's accumulators. */
    static void add(float[] x, int xAt, float[] w, int wAt, int steps, int sumsAt) {
        // The accumulators lie in the array of the weights: scratch of the thread.
        var a0 = FloatVector.fromArray(FLOATS, w, sumsAt);
        var a1 = FloatVector.fromArray(FLOATS, w, sumsAt + LANES);
        var a2 = FloatVector.fromArray(FLOATS, w, sumsAt + 2 * LANES);
        var a3 = FloatVector.fromArray(FLOATS, w, sumsAt + 3 * LANES);
        var b0 = FloatVector.fromArray(FLOATS, w, sumsAt + 4 * LANES);
        var b1 = FloatVector.fromArray(FLOATS, w, sumsAt + 5 * LANES);
        var b2 = FloatVector.fromArray(FLOATS, w, sumsAt + 6 * LANES);
        var b3 = FloatVector.fromArray(FLOATS, w, sumsAt + 7 * LANES);
        for (int k = 0; k < steps; k++) {
            int p = xAt + k * (ROWS * LANES);
            int q = wAt + k * (OUTPUTS * LANES);
            var w0 = FloatVector.fromArray(FLOATS, w, q);
            var w1 = FloatVector.fromArray(FLOATS, w, q + LANES);
            var w2 = FloatVector.fromArray(FLOATS, w, q + 2 * LANES);
            var w3 = FloatVector.fromArray(FLOATS, w, q + 3 * LANES);
            var first = FloatVector.fromArray(FLOATS, x, p);
            a0 = first.fma(w0, a0);
            a1 = first.fma(w1, a1);
            a2 = first.fma(w2, a2);
            a3 = first.fma(w3, a3);
            var second = FloatVector.fromArray(FLOATS, x, p + LANES);
            b0 = second.fma(w0, b0);
            b1 = second.fma(w1, b1);
            b2 = second.fma(w2, b2);
            b3 = second.fma(w3, b3);
        }
        a0.intoArray(w, sumsAt);
        a1.intoArray(w, sumsAt + LANES);
        a2.intoArray(w, sumsAt + 2 * LANES);
        a3.intoArray(w, sumsAt + 3 * LANES);
        b0.intoArray(w, sumsAt + 4 * LANES);
        b1.intoArray(w, sumsAt + 5 * LANES);
        b2.intoArray(w, sumsAt + 6 * LANES);
        b3.intoArray(w, sumsAt + 7 * LANES);
    }

    /** Sum of one accumulator's lanes, always in the same order. */
    static float sum(float[] sums, int at) {
        float total = 0;
        for (int lane = 0; lane < LANES; lane += 4) {
            total += (sums[at + lane] + sums[at + lane + 1]) + (sums[at + lane + 2] + sums[at + lane + 3]);
        }
        return total;
    }
}
