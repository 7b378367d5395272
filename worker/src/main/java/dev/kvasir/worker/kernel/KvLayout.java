package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.MemorySegment;

/**
 * What one KV block holds: for each layer, keys and values of {@code blockSize} token slots.
 *
 * <pre>
 * layer -> block -> {key, value} -> kv head -> slot -> element      (innermost last)
 *
 * of FP8, after a block's elements and aligned to 16 bytes:
 *                   scales       -> kv head -> slot -> {key's, value's}, each two bytes of f16
 * </pre>
 *
 * A block of FP8 ends at a multiple of 16 bytes. Its scales are part of it: it can be read wherever its bytes are.
 *
 * @param keySize elements of one key head; values may differ (latent attention)
 */
public record KvLayout(int layerCount, int kvHeadCount, int keySize, int valueSize, int blockSize, KvFormat format) {
    /** Names the order of a block's bytes; blocks of another version are not read. To be raised with every change of it. */
    public static final int VERSION = 1;

    /** Bytes of the two scales of a token and head. */
    public static final int SCALE_BYTES = 4;

    private static final int ALIGNMENT = 16;

    /** Elements stored as they are. */
    public KvLayout(int layerCount, int kvHeadCount, int keySize, int valueSize, int blockSize, DType dtype) {
        this(layerCount, kvHeadCount, keySize, valueSize, blockSize, KvFormat.of(dtype));
    }

    /** Bytes of one block in one layer. */
    public long bytesPerLayerBlock() {
        long elements = elementsPerLayerBlock() * format.elementBytes();
        return format.scaled() ? aligned(aligned(elements) + (long) kvHeadCount * blockSize * SCALE_BYTES) : elements;
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, (long) ALIGNMENT) * ALIGNMENT;
    }

    /** Copies a block between storage of {@code blockCount} blocks and a segment of its own. */
    public void copyBlock(MemorySegment storage, int blockCount, int block, MemorySegment alone, boolean out) {
        if (block < 0 || block >= blockCount || alone.byteSize() != bytesPerBlock()) {
            throw new IllegalArgumentException("block %d of %d, %d bytes, does not fit a segment of %d bytes"
                    .formatted(block, blockCount, bytesPerBlock(), alone.byteSize()));
        }
        long bytes = bytesPerLayerBlock();
        for (int layer = 0; layer < layerCount; layer++) {
            long at = block(blockCount, layer, block);
            if (out) {
                MemorySegment.copy(storage, at, alone, layer * bytes, bytes);
            } else {
                MemorySegment.copy(alone, layer * bytes, storage, at, bytes);
            }
        }
    }

    /**
     * Copies some heads between a block and a block of these heads alone.
     *
     * @param whole a block
     * @param part a block of {@code partLayout}, whose heads are {@code firstHead} and the following ones
     * @param out from the whole to the part
     */
    public void copyHeads(MemorySegment whole, int firstHead, KvLayout partLayout, MemorySegment part, boolean out) {
        int heads = partLayout.kvHeadCount();
        long keyBytes = (long) heads * blockSize * keySize * format.elementBytes();
        long valueBytes = (long) heads * blockSize * valueSize * format.elementBytes();
        long scaleBytes = (long) heads * blockSize * SCALE_BYTES;
        for (int layer = 0; layer < layerCount; layer++) {
            copy(whole, keys(1, layer, 0, firstHead), part, partLayout.keys(1, layer, 0, 0), keyBytes, out);
            copy(whole, values(1, layer, 0, firstHead), part, partLayout.values(1, layer, 0, 0), valueBytes, out);
            if (format.scaled()) {
                copy(whole, scales(1, layer, 0, firstHead), part, partLayout.scales(1, layer, 0, 0), scaleBytes, out);
            }
        }
    }

    private static void copy(MemorySegment whole, long at, MemorySegment part, long partAt, long bytes, boolean out) {
        if (out) {
            MemorySegment.copy(whole, at, part, partAt, bytes);
        } else {
            MemorySegment.copy(part, partAt, whole, at, bytes);
        }
    }

    /** Bytes of one block over all layers. */
    public long bytesPerBlock() {
        return layerCount * bytesPerLayerBlock();
    }

    /** Elements of one block in one layer. */
    public long elementsPerLayerBlock() {
        return (long) kvHeadCount * (keySize + valueSize) * blockSize;
    }

    /** First byte of a block in a layer. */
    public long block(int blockCount, int layer, int block) {
        return ((long) layer * blockCount + block) * bytesPerLayerBlock();
    }

    /** First byte of a block's keys of one head: its slots follow, {@code keySize} elements apart. */
    public long keys(int blockCount, int layer, int block, int head) {
        return block(blockCount, layer, block) + (long) head * blockSize * keySize * format.elementBytes();
    }

    /** First byte of a block's values of one head: its slots follow, {@code valueSize} elements apart. */
    public long values(int blockCount, int layer, int block, int head) {
        return block(blockCount, layer, block)
                + ((long) kvHeadCount * blockSize * keySize + (long) head * blockSize * valueSize)
                        * format.elementBytes();
    }

    /** First byte of a block's scales of one head: {@link #SCALE_BYTES} for each slot. */
    public long scales(int blockCount, int layer, int block, int head) {
        return block(blockCount, layer, block)
                + aligned(elementsPerLayerBlock() * format.elementBytes())
                + (long) head * blockSize * SCALE_BYTES;
    }
}
