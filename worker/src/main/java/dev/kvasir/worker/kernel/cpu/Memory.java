package dev.kvasir.worker.kernel.cpu;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vectors at raw addresses. One segment over all memory makes the loads of inner loops free of bounds tests, so every
 * operation tests its shapes before ({@code KernelShapes}) and addresses come from matrices, weights and KV blocks that
 * know their size.
 *
 * <p>Vectors have eight lanes (or fewer where the processor has less) on every machine, also where it could do sixteen:
 * the order of additions, and with it the last bit of every result, is then the same on all x86 machines.
 */
final class Memory {
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
    static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED.length() > FloatVector.SPECIES_256.length()
            ? FloatVector.SPECIES_256
            : FloatVector.SPECIES_PREFERRED;
    static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
    static final int LANES = FLOATS.length();

    /** Rows of scratch are padded to this many floats: one vector of even and one of odd elements. */
    static final int PAIR = 2 * LANES;

    private Memory() {}

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(FLOATS, ALL, address, ORDER);
    }

    static IntVector loadInts(long address) {
        return IntVector.fromMemorySegment(INTS, ALL, address, ORDER);
    }

    static void store(long address, FloatVector vector) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    static float get(long address) {
        return ALL.get(JAVA_FLOAT_UNALIGNED, address);
    }

    static void set(long address, float value) {
        ALL.set(JAVA_FLOAT_UNALIGNED, address, value);
    }

    static int getInt(long address) {
        return ALL.get(JAVA_INT_UNALIGNED, address);
    }

    static void setInt(long address, int value) {
        ALL.set(JAVA_INT_UNALIGNED, address, value);
    }

    static short getShort(long address) {
        return ALL.get(JAVA_SHORT_UNALIGNED, address);
    }

    static void setShort(long address, short value) {
        ALL.set(JAVA_SHORT_UNALIGNED, address, value);
    }

    static byte getByte(long address) {
        return ALL.get(JAVA_BYTE, address);
    }

    static void setByte(long address, byte value) {
        ALL.set(JAVA_BYTE, address, value);
    }

    static void copy(long from, long to, long bytes) {
        MemorySegment.copy(ALL, from, ALL, to, bytes);
    }

    static void copy(long from, float[] to, int at, int count) {
        MemorySegment.copy(ALL, JAVA_FLOAT_UNALIGNED, from, to, at, count);
    }

    static int padded(int columns) {
        return (columns + PAIR - 1) / PAIR * PAIR;
    }
}
