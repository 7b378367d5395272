package dev.kvasir.worker.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Checksum of a block's bytes that a device makes in one pass and in any order: the sum of its eight-byte words, each mixed with its
 * place by SplitMix64's finaliser, which is one-to-one: any change of a single word changes the sum, and any other change
 * does so but for one in 2^64. Against damage and blocks that are not what they should be, not against forgery.
 */
public final class KvChecksum {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

    private KvChecksum() {}

    /** Of a whole block, layer by layer; the device's kernel is compared with this. */
    public static long of(MemorySegment block) {
        long sum = 0;
        long words = block.byteSize() / Long.BYTES;
        for (long i = 0; i < words; i++) {
            sum += mixed(block.get(WORD, i * Long.BYTES), i);
        }
        return sum;
    }

    private static long mixed(long word, long place) {
        long z = word + GOLDEN * (place + 1);
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
