package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.MemorySegment;

/**
 * What one KV block holds: for each layer, keys and values of {@code blockSize} token slots.
 *
 * <pre>
 * layer -> block -> {key, value} -> kv head -> slot -> element      (innermost last)
 * </pre>
 *
 * @param keySize elements of one key head; values may differ (latent attention)
 */
public record KvLayout(int layerCount, int kvHeadCount, int keySize, int valueSize, int blockSize, DType dtype) {
    /** Names the order of a block's bytes; blocks of another version are not read. To be raised with every change of it. */
    public static final int VERSION = 1;

    /** Bytes of one block in one layer. */
    public long bytesPerLayerBlock() {
        return elementsPerLayerBlock() * dtype.bytes();
    }

    /** Copies a block between storage of {@code blockCount} blocks and a segment of its own. */
    public void copyBlock(MemorySegment storage, int blockCount, int block, MemorySegment alone, boolean out) {
        if (block < 0 || block >= blockCount || alone.byteSize() != bytesPerBlock()) {
            throw new IllegalArgumentException("block %d of %d, %d bytes, does not fit a segment of %d bytes"
                    .formatted(block, blockCount, bytesPerBlock(), alone.byteSize()));
        }
        long bytes = bytesPerLayerBlock();
        for (int layer = 0; layer < layerCount; layer++) {
            long at = ((long) layer * blockCount + block) * bytes;
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
        long keyBytes = (long) blockSize * keySize * dtype.bytes();
        long valueBytes = (long) blockSize * valueSize * dtype.bytes();
        int heads = partLayout.kvHeadCount();
        for (int layer = 0; layer < layerCount; layer++) {
            long at = layer * bytesPerLayerBlock();
            long partAt = layer * partLayout.bytesPerLayerBlock();
            copy(whole, at + firstHead * keyBytes, part, partAt, heads * keyBytes, out);
            long values = at + kvHeadCount * keyBytes + firstHead * valueBytes;
            copy(whole, values, part, partAt + heads * keyBytes, heads * valueBytes, out);
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
        return layerCount * elementsPerLayerBlock() * dtype.bytes();
    }

    /** Elements of one block in one layer. */
    public long elementsPerLayerBlock() {
        return (long) kvHeadCount * (keySize + valueSize) * blockSize;
    }

    /** Index of the first element of a block's keys of one head: its slots follow, {@code keySize} apart. */
    public long keyIndex(int blockCount, int layer, int block, int head) {
        return ((long) layer * blockCount + block) * elementsPerLayerBlock() + (long) head * blockSize * keySize;
    }

    /** Index of the first element of a block's values of one head: its slots follow, {@code valueSize} apart. */
    public long valueIndex(int blockCount, int layer, int block, int head) {
        return ((long) layer * blockCount + block) * elementsPerLayerBlock()
                + (long) kvHeadCount * blockSize * keySize
                + (long) head * blockSize * valueSize;
    }
}
