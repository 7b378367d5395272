package dev.kvasir.kvstore.tier;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Where things lie in a file of blocks of one format, and whether what lies there is to be believed. Keeps nothing but sizes,
 * so that any thread may use it.
 *
 * <pre>
 * 4096 bytes   {@link DiskTitle}
 * then slots   header (80 bytes, {@link FrameHeader}), the block's bytes, up to a multiple of 4096
 * </pre>
 */
final class DiskLayout {
    private static final int PAGE = 4096;

    private final BlockFormat format;
    private final int digest;
    private final int stride;
    private final int slots;

    /** The slots that fit into a file of {@code bytesMax}. */
    DiskLayout(BlockFormat format, long bytesMax) {
        this.format = format;
        this.digest = FrameHeader.digest(format);
        this.stride = Math.ceilDiv(FrameHeader.BYTES + format.blockBytes(), PAGE) * PAGE;
        this.slots = Math.clamp((bytesMax - DiskTitle.BYTES) / stride, 0, Integer.MAX_VALUE);
    }

    /** Bytes of a slot. */
    int stride() {
        return stride;
    }

    int slots() {
        return slots;
    }

    /** Whether the file says that it has blocks of this format. */
    boolean hasTitle(BlockFile file) throws IOException {
        var title = ByteBuffer.allocate(DiskTitle.BYTES);
        return file.read(title, 0) && title.flip().equals(DiskTitle.of(format));
    }

    void writeTitle(BlockFile file) throws IOException {
        file.write(DiskTitle.of(format), 0);
    }

    /**
     * The header in a slot; null where there is none.
     *
     * @param scratch of {@link FrameHeader#BYTES}
     */
    @Nullable
    FrameHeader header(BlockFile file, int slot, ByteBuffer scratch) throws IOException {
        return file.read(scratch.clear(), at(slot)) ? FrameHeader.read(scratch.flip()) : null;
    }

    /** Whether it is the header of a block of this format. */
    boolean isOwn(FrameHeader header) {
        return header.formatDigest() == digest && header.length() == format.blockBytes();
    }

    /** Reads the bytes of {@code block}; false where it is another that lies there, or not whole. */
    boolean read(BlockFile file, int slot, StoredBlock block, MemorySegment to) throws IOException {
        var header = header(file, slot, ByteBuffer.allocate(FrameHeader.BYTES));
        return header != null
                && isOwn(header)
                && header.block().equals(block)
                && file.read(to.asByteBuffer(), at(slot) + FrameHeader.BYTES)
                && Checksum.of(to) == block.checksum();
    }

    void write(BlockFile file, int slot, StoredBlock block, byte[] bytes) throws IOException {
        var frame = ByteBuffer.allocate(FrameHeader.BYTES + format.blockBytes());
        frame.put(FrameHeader.of(format, 0, block).bytes()).put(bytes).flip();
        file.write(frame, at(slot));
    }

    private long at(int slot) {
        return DiskTitle.BYTES + (long) slot * stride;
    }
}
