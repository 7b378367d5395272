package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.loadInts;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The first tile of a stretch: expands four bf16 weight rows for the tiles that follow and does what {@link DotTiles#add}
 * does, in one loop. Weights are waited for here, and a loop that also multiplies has something to do meanwhile. Adds in
 * the same order, so with the same bits.
 */
final class ExpandingTile {
    private static final int ODD = 0xffff_0000;

    private ExpandingTile() {}

    /** Adds {@code pairs} pairs of groups of k to a tile's accumulators and leaves four expanded weight rows in {@code w}. */
    static void add(float[] x, int xAt, long from, long rowBytes, int pairs, float[] w, int wAt, int sumsAt) {
        var a0 = FloatVector.fromArray(FLOATS, w, sumsAt);
        var a1 = FloatVector.fromArray(FLOATS, w, sumsAt + LANES);
        var a2 = FloatVector.fromArray(FLOATS, w, sumsAt + 2 * LANES);
        var a3 = FloatVector.fromArray(FLOATS, w, sumsAt + 3 * LANES);
        var b0 = FloatVector.fromArray(FLOATS, w, sumsAt + 4 * LANES);
        var b1 = FloatVector.fromArray(FLOATS, w, sumsAt + 5 * LANES);
        var b2 = FloatVector.fromArray(FLOATS, w, sumsAt + 6 * LANES);
        var b3 = FloatVector.fromArray(FLOATS, w, sumsAt + 7 * LANES);
        long from1 = from + rowBytes;
        long from2 = from1 + rowBytes;
        long from3 = from2 + rowBytes;
        for (int k = 0; k < pairs; k++) {
            int p = xAt + k * (4 * LANES);
            int q = wAt + k * (8 * LANES);
            long offset = 4L * LANES * k;
            var firstEven = FloatVector.fromArray(FLOATS, x, p);
            var secondEven = FloatVector.fromArray(FLOATS, x, p + LANES);
            var firstOdd = FloatVector.fromArray(FLOATS, x, p + 2 * LANES);
            var secondOdd = FloatVector.fromArray(FLOATS, x, p + 3 * LANES);
            var both = loadInts(from + offset);
            var weight = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            weight.intoArray(w, q);
            a0 = weight.fma(firstEven, a0);
            b0 = weight.fma(secondEven, b0);
            weight = both.and(ODD).reinterpretAsFloats();
            weight.intoArray(w, q + 4 * LANES);
            a0 = weight.fma(firstOdd, a0);
            b0 = weight.fma(secondOdd, b0);
            both = loadInts(from1 + offset);
            weight = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            weight.intoArray(w, q + LANES);
            a1 = weight.fma(firstEven, a1);
            b1 = weight.fma(secondEven, b1);
            weight = both.and(ODD).reinterpretAsFloats();
            weight.intoArray(w, q + 5 * LANES);
            a1 = weight.fma(firstOdd, a1);
            b1 = weight.fma(secondOdd, b1);
            both = loadInts(from2 + offset);
            weight = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            weight.intoArray(w, q + 2 * LANES);
            a2 = weight.fma(firstEven, a2);
            b2 = weight.fma(secondEven, b2);
            weight = both.and(ODD).reinterpretAsFloats();
            weight.intoArray(w, q + 6 * LANES);
            a2 = weight.fma(firstOdd, a2);
            b2 = weight.fma(secondOdd, b2);
            both = loadInts(from3 + offset);
            weight = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            weight.intoArray(w, q + 3 * LANES);
            a3 = weight.fma(firstEven, a3);
            b3 = weight.fma(secondEven, b3);
            weight = both.and(ODD).reinterpretAsFloats();
            weight.intoArray(w, q + 7 * LANES);
            a3 = weight.fma(firstOdd, a3);
            b3 = weight.fma(secondOdd, b3);
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
}
