package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import org.jspecify.annotations.Nullable;

/**
 * Which block a copy is of, and how to tell that it is whole.
 *
 * @param first hash of the chain's first block
 * @param parent hash of the block before it; null for a chain's first
 * @param depth blocks before it in its chain
 * @param checksum of its bytes, see {@link Checksum}
 * @param place what decides which kvstore may keep it; null for one that came from another member, which has it
 */
public record StoredBlock(
        BlockHash hash,
        BlockHash first,
        @Nullable BlockHash parent,
        int depth,
        int checksum,
        @Nullable BlockHash place) {
    /** One that came from another member. */
    public StoredBlock(BlockHash hash, BlockHash first, @Nullable BlockHash parent, int depth, int checksum) {
        this(hash, first, parent, depth, checksum, null);
    }
}
