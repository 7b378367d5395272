package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;
import static dev.kvasir.worker.kernel.cpu.Memory.loadInts;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Outer products of input rows with {@link PackedPanels panels} over a stretch of k: no sums over lanes. Each lane adds
 * its stretch along k in ascending order, starting from zero, and then adds that to what is in {@code sums}; so its value
 * depends on the borders of stretches and on nothing else, whichever tile computes it.
 *
 * <pre>
 * inputs  five rows side by side, [k][5 rows]; of a single row [k]
 * sums    [row][4 panels][2 vectors]
 * </pre>
 *
 * Five rows take fourteen registers; tiles of six spill (docs/performance/cpu.md).
 */
final class PanelTiles {
    static final int ROWS = 5;

    /** Panels that a single row meets at once. */
    static final int PANELS = 4;

    /** Floats of the sums of one row. */
    static final int ROW = PANELS * PAIR;

    /** Bytes of a panel for one k. */
    static final int PANEL_BYTES = 4 * LANES;

    private static final int HIGH = 0xffff_0000;

    private PanelTiles() {}

    /** Five rows by one panel. */
    static void five(float[] x, int xAt, long panel, int steps, float[] s, int sums) {
        var a0 = FloatVector.zero(FLOATS);
        var a1 = FloatVector.zero(FLOATS);
        var b0 = FloatVector.zero(FLOATS);
        var b1 = FloatVector.zero(FLOATS);
        var c0 = FloatVector.zero(FLOATS);
        var c1 = FloatVector.zero(FLOATS);
        var d0 = FloatVector.zero(FLOATS);
        var d1 = FloatVector.zero(FLOATS);
        var e0 = FloatVector.zero(FLOATS);
        var e1 = FloatVector.zero(FLOATS);
        for (int k = 0; k < steps; k++) {
            int p = xAt + k * ROWS;
            var both = loadInts(panel + (long) PANEL_BYTES * k);
            var low = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
            var high = both.and(HIGH).reinterpretAsFloats();
            var input = FloatVector.broadcast(FLOATS, x[p]);
            a0 = input.fma(low, a0);
            a1 = input.fma(high, a1);
            input = FloatVector.broadcast(FLOATS, x[p + 1]);
            b0 = input.fma(low, b0);
            b1 = input.fma(high, b1);
            input = FloatVector.broadcast(FLOATS, x[p + 2]);
            c0 = input.fma(low, c0);
            c1 = input.fma(high, c1);
            input = FloatVector.broadcast(FLOATS, x[p + 3]);
            d0 = input.fma(low, d0);
            d1 = input.fma(high, d1);
            input = FloatVector.broadcast(FLOATS, x[p + 4]);
            e0 = input.fma(low, e0);
            e1 = input.fma(high, e1);
        }
        FloatVector.fromArray(FLOATS, s, sums).add(a0).intoArray(s, sums);
        FloatVector.fromArray(FLOATS, s, sums + LANES).add(a1).intoArray(s, sums + LANES);
        FloatVector.fromArray(FLOATS, s, sums + ROW).add(b0).intoArray(s, sums + ROW);
        FloatVector.fromArray(FLOATS, s, sums + ROW + LANES).add(b1).intoArray(s, sums + ROW + LANES);
        FloatVector.fromArray(FLOATS, s, sums + 2 * ROW).add(c0).intoArray(s, sums + 2 * ROW);
        FloatVector.fromArray(FLOATS, s, sums + 2 * ROW + LANES).add(c1).intoArray(s, sums + 2 * ROW + LANES);
        FloatVector.fromArray(FLOATS, s, sums + 3 * ROW).add(d0).intoArray(s, sums + 3 * ROW);
        FloatVector.fromArray(FLOATS, s, sums + 3 * ROW + LANES).add(d1).intoArray(s, sums + 3 * ROW + LANES);
        FloatVector.fromArray(FLOATS, s, sums + 4 * ROW).add(e0).intoArray(s, sums + 4 * ROW);
        FloatVector.fromArray(FLOATS, s, sums + 4 * ROW + LANES).add(e1).intoArray(s, sums + 4 * ROW + LANES);
    }

    /** One row by four panels, {@code stride} bytes from one to the next: four streams, as fast as memory gives them. */
    static void row(float[] x, int xAt, long panel, long stride, int steps, float[] s, int sums) {
        var a0 = FloatVector.zero(FLOATS);
        var a1 = FloatVector.zero(FLOATS);
        var b0 = FloatVector.zero(FLOATS);
        var b1 = FloatVector.zero(FLOATS);
        var c0 = FloatVector.zero(FLOATS);
        var c1 = FloatVector.zero(FLOATS);
        var d0 = FloatVector.zero(FLOATS);
        var d1 = FloatVector.zero(FLOATS);
        long panel1 = panel + stride;
        long panel2 = panel1 + stride;
        long panel3 = panel2 + stride;
        for (int k = 0; k < steps; k++) {
            long at = (long) PANEL_BYTES * k;
            var input = FloatVector.broadcast(FLOATS, x[xAt + k]);
            var both = loadInts(panel + at);
            a0 = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(input, a0);
            a1 = both.and(HIGH).reinterpretAsFloats().fma(input, a1);
            both = loadInts(panel1 + at);
            b0 = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(input, b0);
            b1 = both.and(HIGH).reinterpretAsFloats().fma(input, b1);
            both = loadInts(panel2 + at);
            c0 = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(input, c0);
            c1 = both.and(HIGH).reinterpretAsFloats().fma(input, c1);
            both = loadInts(panel3 + at);
            d0 = both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(input, d0);
            d1 = both.and(HIGH).reinterpretAsFloats().fma(input, d1);
        }
        FloatVector.fromArray(FLOATS, s, sums).add(a0).intoArray(s, sums);
        FloatVector.fromArray(FLOATS, s, sums + LANES).add(a1).intoArray(s, sums + LANES);
        FloatVector.fromArray(FLOATS, s, sums + 2 * LANES).add(b0).intoArray(s, sums + 2 * LANES);
        FloatVector.fromArray(FLOATS, s, sums + 3 * LANES).add(b1).intoArray(s, sums + 3 * LANES);
        FloatVector.fromArray(FLOATS, s, sums + 4 * LANES).add(c0).intoArray(s, sums + 4 * LANES);
        FloatVector.fromArray(FLOATS, s, sums + 5 * LANES).add(c1).intoArray(s, sums + 5 * LANES);
        FloatVector.fromArray(FLOATS, s, sums + 6 * LANES).add(d0).intoArray(s, sums + 6 * LANES);
        FloatVector.fromArray(FLOATS, s, sums + 7 * LANES).add(d1).intoArray(s, sums + 7 * LANES);
    }
}
