package dev.kvasir.worker.kernel;

import dev.kvasir.kvstore.transfer.NearMemory;

/**
 * KV blocks of a device, for workers of the same host that have another pool: they read this one's blocks where they are, and
 * this one reads theirs. Its methods are called by one thread beside the engine's, but for {@link #fence}. None of them waits
 * for a step or has one wait. After it is closed they fail.
 */
public interface NearKv {
    /** Where this pool lies, for others. */
    NearMemory memory();

    /**
     * What is pulled from now on is written after all that steps begun so far write: they may write to blocks that were
     * taken from their owners. Called by the engine's thread.
     */
    void fence();

    /** {@link KvChecksum} of complete blocks of this pool, in the order given. */
    long[] checksums(int[] blocks);

    /**
     * Makes another's pool readable.
     *
     * @throws IllegalArgumentException where its blocks are not laid out like these, or it is not as large as it says
     * @throws RuntimeException where the device cannot
     */
    Window open(NearMemory memory);

    /** Another worker's pool. */
    interface Window extends AutoCloseable {
        /**
         * Copies blocks into this pool, and waits for it.
         *
         * @param theirs numbers in the other's pool
         * @param own numbers in this pool, of blocks that nobody else reads or writes
         * @return checksums of what lies in this pool now
         */
        long[] pull(int[] theirs, int[] own);

        @Override
        void close();
    }
}
