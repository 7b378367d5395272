package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.INTS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import dev.kvasir.worker.kernel.E4m3;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** A key or value stored as {@link E4m3} numbers with a scale. Elements keep their order. */
final class ScaledRow {
    private static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_64;

    /** Where a code's exponent and mantissa are in a float, which is then 2^-120 of the number: 2^(7 - 127). */
    private static final int SHIFT = 23 - 3;

    private static final float REBIAS = 0x1p120f;
    private static final int NAN = 0x7f;

    private ScaledRow() {}

    static void store(long from, long to, long scaleTo, int count) {
        float largest = 0;
        for (int i = 0; i < count; i++) {
            float magnitude = Math.abs(Memory.get(from + 4L * i));
            largest = magnitude > largest ? magnitude : largest;
        }
        float scale = E4m3.scale(largest);
        float inverse = 1 / scale;
        for (int i = 0; i < count; i++) {
            Memory.setByte(to + i, E4m3.encode(Memory.get(from + 4L * i) * inverse));
        }
        Memory.setShort(scaleTo, Float.floatToFloat16(scale));
    }

    /** A row, padded with zeros to whole groups, one group of {@code LANES} elements every {@code LANES} floats. */
    static void load(long from, long scaleFrom, int columns, float[] to, int at) {
        float scale = Float.float16ToFloat(Memory.getShort(scaleFrom));
        int done = 0;
        if (LANES == BYTES.length()) {
            for (; done + LANES <= columns; done += LANES) {
                group(from + done, scale, to, at + done);
            }
        }
        int padded = Memory.padded(columns);
        for (int i = done; i < padded; i++) {
            to[at + i] = i < columns ? E4m3.decode(Memory.getByte(from + i)) * scale : 0;
        }
    }

    private static void group(long from, float scale, float[] to, int at) {
        var codes = (IntVector) ByteVector.fromMemorySegment(BYTES, Memory.ALL, from, Memory.ORDER)
                .castShape(INTS, 0);
        var rest = codes.and(NAN);
        var bits = rest.lanewise(VectorOperators.LSHL, SHIFT)
                .or(codes.lanewise(VectorOperators.LSHL, 24).and(Integer.MIN_VALUE));
        bits.reinterpretAsFloats()
                .mul(REBIAS * scale)
                .blend(Float.NaN, rest.compare(VectorOperators.EQ, NAN).cast(FLOATS))
                .intoArray(to, at);
    }
}
