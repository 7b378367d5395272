package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;
import static dev.kvasir.worker.kernel.cpu.Memory.load;
import static dev.kvasir.worker.kernel.cpu.Memory.loadInts;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of inputs by four rows of weights, read straight from their stored form: generation for a single sequence, which
 * the memory's bandwidth bounds. Adds in the order of {@link DotTiles}. Columns are a multiple of {@code PAIR}.
 */
final class RowTimesMatrix {
    static final int OUTPUTS = 4;

    private RowTimesMatrix() {}

    /** Accumulators of four outputs, one vector each, to {@code sums}; the row of inputs is packed without gaps. */
    static void four(CpuWeight weight, float[] x, int xAt, int output, float[] sums, int sumsAt) {
        long w = weight.row(output);
        long stride = weight.rowBytes();
        switch (weight.dtype()) {
            case F32 -> f32(x, xAt, w, stride, weight.columns(), sums, sumsAt);
            case BF16 -> bf16(x, xAt, w, stride, weight.columns(), sums, sumsAt);
            case F16 -> throw new IllegalArgumentException("16-bit floats are expanded first");
        }
    }

    private static void bf16(float[] x, int xAt, long w, long wStride, int columns, float[] sums, int sumsAt) {
        var s0 = FloatVector.zero(FLOATS);
        var s1 = FloatVector.zero(FLOATS);
        var s2 = FloatVector.zero(FLOATS);
        var s3 = FloatVector.zero(FLOATS);
        long w1 = w + wStride;
        long w2 = w1 + wStride;
        long w3 = w2 + wStride;
        for (int k = 0; k < columns; k += PAIR) {
            var even = FloatVector.fromArray(FLOATS, x, xAt + k);
            var odd = FloatVector.fromArray(FLOATS, x, xAt + k + LANES);
            var p0 = loadInts(w + 2L * k);
            var p1 = loadInts(w1 + 2L * k);
            var p2 = loadInts(w2 + 2L * k);
            var p3 = loadInts(w3 + 2L * k);
            s0 = p0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(even, s0);
            s1 = p1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(even, s1);
            s2 = p2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(even, s2);
            s3 = p3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(even, s3);
            s0 = p0.and(0xffff_0000).reinterpretAsFloats().fma(odd, s0);
            s1 = p1.and(0xffff_0000).reinterpretAsFloats().fma(odd, s1);
            s2 = p2.and(0xffff_0000).reinterpretAsFloats().fma(odd, s2);
            s3 = p3.and(0xffff_0000).reinterpretAsFloats().fma(odd, s3);
        }
        store(sums, sumsAt, s0, s1, s2, s3);
    }

    private static void f32(float[] x, int xAt, long w, long wStride, int columns, float[] sums, int sumsAt) {
        var s0 = FloatVector.zero(FLOATS);
        var s1 = FloatVector.zero(FLOATS);
        var s2 = FloatVector.zero(FLOATS);
        var s3 = FloatVector.zero(FLOATS);
        long w1 = w + wStride;
        long w2 = w1 + wStride;
        long w3 = w2 + wStride;
        for (int k = 0; k < columns; k += LANES) {
            var input = FloatVector.fromArray(FLOATS, x, xAt + k);
            s0 = load(w + 4L * k).fma(input, s0);
            s1 = load(w1 + 4L * k).fma(input, s1);
            s2 = load(w2 + 4L * k).fma(input, s2);
            s3 = load(w3 + 4L * k).fma(input, s3);
        }
        store(sums, sumsAt, s0, s1, s2, s3);
    }

    private static void store(float[] sums, int at, FloatVector s0, FloatVector s1, FloatVector s2, FloatVector s3) {
        s0.intoArray(sums, at);
        s1.intoArray(sums, at + LANES);
        s2.intoArray(sums, at + 2 * LANES);
        s3.intoArray(sums, at + 3 * LANES);
    }
}
