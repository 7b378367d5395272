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
        return (long) layerCount * kvHeadCount * (keySize + valueSize) * blockSize * dtype.bytes();
    }
}
