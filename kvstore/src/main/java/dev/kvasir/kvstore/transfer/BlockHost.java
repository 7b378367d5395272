package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A member's blocks, as its transfer service sees them. Thread-safe. */
public interface BlockHost {
    /** The life of the member. */
    long incarnation();

    /** Host memory that has blocks of a format; null where the member has none. */
    @Nullable
    MemoryTier tier(BlockFormat format);

    /** Host memory that takes blocks of a format; null where the member wants none. */
    default @Nullable MemoryTier taking(BlockFormat format) {
        return tier(format);
    }

    /** Blocks of a format that others of the same host may read where they are; null where the member has none such. */
    default @Nullable NearBlocks near(BlockFormat format) {
        return null;
    }

    /**
     * Brings blocks that lie elsewhere (on the device, on disk) into that memory, as far as they are held and fit. May take
     * a bounded time; called by a virtual thread.
     */
    void bring(BlockFormat format, List<BlockHash> hashes) throws InterruptedException;
}
