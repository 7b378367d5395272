package dev.kvasir.worker.kernel;

import java.lang.foreign.MemorySegment;

/** Content of all KV blocks of one worker, allocated once. Identity (hash, table, reference counts) is kept elsewhere. */
public interface KvStorage {
    KvLayout layout();

    int blockCount();

    /** Bytes held. */
    long byteSize();

    /**
     * Copies a whole block out: layer by layer, each as {@link KvLayout} says. Sees all that was computed before. Called by
     * the engine's thread.
     *
     * @param to {@link KvLayout#bytesPerBlock} bytes of native memory
     */
    void readBlock(int block, MemorySegment to);

    /** Copies a whole block in, the reverse of {@link #readBlock}; seen by all that is computed after. */
    void writeBlock(int block, MemorySegment from);
}
