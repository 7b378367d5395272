package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import java.time.Duration;
import java.util.List;

/** Blocks in the memory of a device that others of the same host can read there. Thread-safe. */
public interface NearBlocks {
    /** The host, as all its members name it. */
    String host();

    NearMemory memory();

    /**
     * Lends the leading ones of some blocks, as far as they are held there and may be lent; possibly none. May take a bounded
     * time; called by a virtual thread.
     *
     * @param timeMax after which they are lent no more, whether given back or not
     */
    Loan lend(List<BlockHash> hashes, Duration timeMax) throws InterruptedException;

    /** Blocks that keep their content until it is closed. */
    interface Loan extends AutoCloseable {
        /** None. */
        Loan NONE = new Loan() {
            @Override
            public List<LentBlock> blocks() {
                return List.of();
            }

            @Override
            public void close() {}
        };

        List<LentBlock> blocks();

        @Override
        void close();
    }
}
