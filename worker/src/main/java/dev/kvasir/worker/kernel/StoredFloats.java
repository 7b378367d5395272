package dev.kvasir.worker.kernel;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.MemorySegment;

/** Floats one at a time from and to their stored forms; rounding is to nearest, ties to even. */
public final class StoredFloats {
    private StoredFloats() {}

    public static float get(MemorySegment data, DType dtype, long index) {
        return switch (dtype) {
            case F32 -> data.get(JAVA_FLOAT_UNALIGNED, index * Float.BYTES);
            case F16 -> Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, index * Short.BYTES));
            case BF16 -> fromBfloat16(data.get(JAVA_SHORT_UNALIGNED, index * Short.BYTES));
        };
    }

    public static void set(MemorySegment data, DType dtype, long index, float value) {
        switch (dtype) {
            case F32 -> data.set(JAVA_FLOAT_UNALIGNED, index * Float.BYTES, value);
            case F16 -> data.set(JAVA_SHORT_UNALIGNED, index * Short.BYTES, Float.floatToFloat16(value));
            case BF16 -> data.set(JAVA_SHORT_UNALIGNED, index * Short.BYTES, toBfloat16(value));
        }
    }

    public static float fromBfloat16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | 0x40);
        }
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }
}
