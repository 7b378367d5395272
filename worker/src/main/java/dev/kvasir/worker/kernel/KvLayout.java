package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;

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
