package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.StoredFloats;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Rows from memory into arrays, one group of {@code LANES} elements every {@code step} floats, padded with zeros to a
 * multiple of {@code PAIR} elements.
 *
 * <p>Two stored 16-bit elements share a 32-bit lane and are taken apart in place, which puts each {@code PAIR} of groups into
 * even-odd order:
 *
 * <pre>
 * 0 2 4 6 8 10 12 14   1 3 5 7 9 11 13 15                (eight lanes)
 * </pre>
 *
 * In products over that dimension the other side is put into the same order. Rows of 32-bit elements keep theirs.
 */
final class Packing {
    private static final int F16_SIGN = 0x8000_0000;
    private static final int F16_REST = 0x0fff_e000;

    /** 2^112 moves the exponent from the bias of 16-bit floats to that of 32-bit floats, subnormals included. */
    private static final float F16_REBIAS = 0x1p112f;

    private static final VectorShuffle<Float> EVENS = VectorShuffle.fromOp(FLOATS, i -> 2 * (i % (LANES / 2)));
    private static final VectorShuffle<Float> ODDS = VectorShuffle.fromOp(FLOATS, i -> 2 * (i % (LANES / 2)) + 1);
    private static final VectorMask<Float> HIGH = VectorMask.fromLong(FLOATS, -(1L << (LANES / 2)));

    private Packing() {}

    /** Whether stored rows of this type come out in even-odd order. */
    static boolean paired(DType dtype) {
        return dtype != DType.F32;
    }

    /** A stored row; {@code columns} may end inside a group. */
    static void stored(DType dtype, long from, int columns, float[] to, int at, int step) {
        int pairs = columns / PAIR;
        switch (dtype) {
            case F32 -> plain(from, 2 * pairs, to, at, step);
            case BF16 -> bf16(from, pairs, to, at, step);
            case F16 -> f16(from, pairs, to, at, step);
        }
        if (pairs * PAIR < columns) {
            tail(
                    dtype,
                    from + (long) pairs * PAIR * dtype.bytes(),
                    columns % PAIR,
                    paired(dtype),
                    to,
                    at + 2 * pairs * step,
                    step);
        }
    }

    /** A row of floats, in even-odd order where {@code paired}. */
    static void floats(long from, int columns, boolean paired, float[] to, int at, int step) {
        int pairs = columns / PAIR;
        if (paired) {
            split(from, pairs, to, at, step);
        } else {
            plain(from, 2 * pairs, to, at, step);
        }
        if (pairs * PAIR < columns) {
            tail(DType.F32, from + 4L * pairs * PAIR, columns % PAIR, paired, to, at + 2 * pairs * step, step);
        }
    }

    private static void plain(long from, int groups, float[] to, int at, int step) {
        for (int g = 0; g < groups; g++) {
            Memory.load(from + 4L * LANES * g).intoArray(to, at + g * step);
        }
    }

    private static void split(long from, int pairs, float[] to, int at, int step) {
        for (int g = 0; g < pairs; g++) {
            var low = Memory.load(from + 8L * LANES * g);
            var high = Memory.load(from + 8L * LANES * g + 4L * LANES);
            low.rearrange(EVENS).blend(high.rearrange(EVENS), HIGH).intoArray(to, at + 2 * g * step);
            low.rearrange(ODDS).blend(high.rearrange(ODDS), HIGH).intoArray(to, at + 2 * g * step + step);
        }
    }

    private static void bf16(long from, int pairs, float[] to, int at, int step) {
        for (int g = 0; g < pairs; g++) {
            var both = Memory.loadInts(from + 4L * LANES * g);
            both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at + 2 * g * step);
            both.and(0xffff_0000).reinterpretAsFloats().intoArray(to, at + 2 * g * step + step);
        }
    }

    /** Stored infinities come out as 65,536: finite, and still far off any real weight. */
    private static void f16(long from, int pairs, float[] to, int at, int step) {
        for (int g = 0; g < pairs; g++) {
            var both = Memory.loadInts(from + 4L * LANES * g);
            var even = both.lanewise(VectorOperators.LSHL, 13).and(F16_REST);
            var odd = both.lanewise(VectorOperators.LSHR, 3).and(F16_REST);
            even.reinterpretAsFloats()
                    .mul(F16_REBIAS)
                    .reinterpretAsInts()
                    .or(both.lanewise(VectorOperators.LSHL, 16).and(F16_SIGN))
                    .reinterpretAsFloats()
                    .intoArray(to, at + 2 * g * step);
            odd.reinterpretAsFloats()
                    .mul(F16_REBIAS)
                    .reinterpretAsInts()
                    .or(both.and(F16_SIGN))
                    .reinterpretAsFloats()
                    .intoArray(to, at + 2 * g * step + step);
        }
    }

    private static void tail(DType dtype, long from, int count, boolean paired, float[] to, int at, int step) {
        for (int i = 0; i < PAIR; i++) {
            int group = paired ? i % 2 : i / LANES;
            int lane = paired ? i / 2 : i % LANES;
            to[at + group * step + lane] = i < count ? element(dtype, from, i) : 0;
        }
    }

    /** A packed row, scaled, back to memory. */
    static void unpack(float[] from, int at, int columns, boolean paired, float scale, long to) {
        for (int i = 0; i < columns; i++) {
            int place = paired ? i / PAIR * PAIR + i % PAIR / 2 + i % 2 * LANES : i;
            Memory.set(to + 4L * i, from[at + place] * scale);
        }
    }

    static float element(DType dtype, long from, long i) {
        return switch (dtype) {
            case F32 -> Memory.get(from + 4 * i);
            case F16 -> Float.float16ToFloat(Memory.getShort(from + 2 * i));
            case BF16 -> StoredFloats.fromBfloat16(Memory.getShort(from + 2 * i));
        };
    }
}
