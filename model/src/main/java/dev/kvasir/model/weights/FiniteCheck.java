package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** Finds weights that are NaN or infinite: those whose exponent bits are all set. Eight bytes at a time. */
final class FiniteCheck {
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private FiniteCheck() {}

    /** Refuses a tensor with the first element that is not finite. */
    static void require(Path file, String name, DType type, MemorySegment data) {
        long at = firstNotFinite(type, data);
        if (at >= 0) {
            throw new ModelFileException(file, name, "element " + at, "is not finite");
        }
    }

    /** Index of the first NaN or infinity, or -1. */
    static long firstNotFinite(DType type, MemorySegment data) {
        long exponents = exponents(type);
        long lowBits = type.bytes() == 4 ? 0x0000_0001_0000_0001L : 0x0001_0001_0001_0001L;
        long signs = lowBits << (8 * type.bytes() - 1);
        long wholeWords = data.byteSize() / Long.BYTES * Long.BYTES;
        for (long offset = 0; offset < wholeWords; offset += Long.BYTES) {
            // A lane of "missing" is 0 where all exponent bits are set; the usual test for a zero lane follows. Sign
            // bits of "missing" are 0, so the test finds no zero lane where there is none.
            long missing = (data.get(WORD, offset) & exponents) ^ exponents;
            if (((missing - lowBits) & ~missing & signs) != 0) {
                return firstFrom(type, data, offset / type.bytes());
            }
        }
        return firstFrom(type, data, wholeWords / type.bytes());
    }

    private static long firstFrom(DType type, MemorySegment data, long element) {
        long mask = exponents(type) & (type.bytes() == 4 ? 0xFFFF_FFFFL : 0xFFFFL);
        for (long i = element; i < data.byteSize() / type.bytes(); i++) {
            long bits = type.bytes() == 4
                    ? data.get(ValueLayout.JAVA_INT_UNALIGNED, i * 4)
                    : data.get(ValueLayout.JAVA_SHORT_UNALIGNED, i * 2);
            if ((bits & mask) == mask) {
                return i;
            }
        }
        return -1;
    }

    private static long exponents(DType type) {
        return switch (type) {
            case F32 -> 0x7F80_0000_7F80_0000L;
            case F16 -> 0x7C00_7C00_7C00_7C00L;
            case BF16 -> 0x7F80_7F80_7F80_7F80L;
        };
    }
}
