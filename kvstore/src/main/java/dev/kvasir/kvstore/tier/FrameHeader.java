package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What precedes a block's bytes, on the wire and on disk; big-endian.
 *
 * <pre>
 *  0  magic "KVB1"           32  first block of chain (16)
 *  4  digest of the format   48  parent, or zeros (16)
 *  8  incarnation of holder  64  depth, length
 * 16  hash (16)              72  checksum of the bytes, checksum of this header
 * </pre>
 */
public record FrameHeader(int formatDigest, long incarnation, StoredBlock block, int length) {
    public static final int BYTES = 80;
    private static final int MAGIC = 0x4B564231;
    private static final BlockHash NONE = new BlockHash(0, 0);

    public static FrameHeader of(BlockFormat format, long incarnation, StoredBlock block) {
        return new FrameHeader(digest(format), incarnation, block, format.blockBytes());
    }

    /** Short name of a format, so that each block says of which it is. */
    public static int digest(BlockFormat format) {
        var crc = new CRC32C();
        crc.update("%s|%s|%d|%d|%d"
                .formatted(
                        format.fingerprint(),
                        format.kvDtype(),
                        format.blockSize(),
                        format.layoutVersion(),
                        format.blockBytes())
                .getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    /** As bytes, ready to be read. */
    public ByteBuffer bytes() {
        var buffer = ByteBuffer.allocate(BYTES);
        buffer.putInt(MAGIC).putInt(formatDigest).putLong(incarnation);
        put(buffer, block.hash());
        put(buffer, block.first());
        put(buffer, block.parent() == null ? NONE : block.parent());
        buffer.putInt(block.depth()).putInt(length).putInt(block.checksum());
        buffer.putInt(ownChecksum(buffer));
        return buffer.flip();
    }

    /** Null where the bytes are not a whole header. */
    public static @Nullable FrameHeader read(ByteBuffer bytes) {
        if (bytes.remaining() < BYTES) {
            return null;
        }
        var buffer = bytes.slice(bytes.position(), BYTES);
        bytes.position(bytes.position() + BYTES);
        if (buffer.getInt(0) != MAGIC || buffer.getInt(BYTES - Integer.BYTES) != ownChecksum(buffer)) {
            return null;
        }
        var parent = hash(buffer, 48);
        int depth = buffer.getInt(64);
        int length = buffer.getInt(68);
        var hash = hash(buffer, 16);
        // A block that follows itself could never be evicted.
        if (depth < 0 || length < 1 || length > BlockFormat.BLOCK_BYTES_MAX || parent.equals(hash)) {
            return null;
        }
        var block =
                new StoredBlock(hash, hash(buffer, 32), parent.equals(NONE) ? null : parent, depth, buffer.getInt(72));
        return new FrameHeader(buffer.getInt(4), buffer.getLong(8), block, length);
    }

    private static int ownChecksum(ByteBuffer buffer) {
        var crc = new CRC32C();
        crc.update(buffer.duplicate().position(0).limit(BYTES - Integer.BYTES));
        return (int) crc.getValue();
    }

    private static void put(ByteBuffer buffer, BlockHash hash) {
        buffer.putLong(hash.high()).putLong(hash.low());
    }

    private static BlockHash hash(ByteBuffer buffer, int at) {
        return new BlockHash(buffer.getLong(at), buffer.getLong(at + Long.BYTES));
    }
}
