package dev.kvasir.worker.kernel;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Content of all KV blocks of one worker, allocated once. Identity (hash, table, reference counts) is kept elsewhere. */
public interface KvStorage {
    KvLayout layout();

    int blockCount();

    /** Made by the first call: for workers of the same host that have a pool of the same kind; null where there is no way to let them read this one. */
    default @Nullable NearKv near() {
        return null;
    }

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
