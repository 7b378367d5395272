package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Blocks for tests: content that can be told from the name. */
public final class Blocks {
    public static final BlockFormat FORMAT = new BlockFormat("print", "F32", 16, 1, 1000);

    private Blocks() {}

    public static BlockHash hash(int chain, int depth) {
        return new BlockHash(chain * 31L + 7, depth);
    }

    public static void fill(MemorySegment bytes, BlockHash hash) {
        for (long i = 0; i < bytes.byteSize(); i++) {
            bytes.set(ValueLayout.JAVA_BYTE, i, (byte) (hash.high() * 7 + hash.low() * 13 + i));
        }
    }

    public static boolean holds(MemorySegment bytes, BlockHash hash) {
        var expected = MemorySegment.ofArray(new byte[(int) bytes.byteSize()]);
        fill(expected, hash);
        return expected.mismatch(bytes) < 0;
    }

    /** The block as it would be stored. */
    public static StoredBlock stored(BlockFormat format, int chain, int depth) {
        var bytes = java.nio.ByteBuffer.allocateDirect(format.blockBytes());
        var segment = MemorySegment.ofBuffer(bytes);
        fill(segment, hash(chain, depth));
        return new StoredBlock(
                hash(chain, depth),
                hash(chain, 0),
                depth == 0 ? null : hash(chain, depth - 1),
                depth,
                Checksum.of(segment));
    }

    /** Puts a block into a tier; false where there is no room. */
    public static boolean put(MemoryTier tier, int chain, int depth) {
        var reservation = tier.reserve();
        if (reservation == null) {
            return false;
        }
        fill(reservation.bytes(), hash(chain, depth));
        reservation.publish(stored(tier.format(), chain, depth));
        return true;
    }
}
