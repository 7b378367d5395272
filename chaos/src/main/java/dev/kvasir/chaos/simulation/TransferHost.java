package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.MemoryTier;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A member whose blocks others pull. */
interface TransferHost {
    /** Copies in host memory; null where it has none. */
    @Nullable
    MemoryTier tier();

    /** Brings blocks into that memory, as far as they are there, and runs {@code then}. */
    void bring(List<BlockHash> hashes, Runnable then);
}
