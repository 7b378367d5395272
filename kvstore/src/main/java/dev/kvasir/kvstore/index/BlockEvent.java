package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.hash.BlockHash;
import org.jspecify.annotations.Nullable;

/**
 * A change of what one holder holds. A block may lie in several tiers at a time; it is gone when it has left the last.
 *
 * <p>Holders should give up the blocks of a chain last one first. The index stays right where they do not, but its
 * look-ups then take time in proportion to the prompt.
 */
public sealed interface BlockEvent {
    /**
     * The block lies in the tier from now on.
     *
     * @param parent the block before it in its chain; null for a chain's first block, whose parent is a root
     */
    record Stored(BlockHash hash, @Nullable BlockHash parent, Tier tier) implements BlockEvent {}

    record Evicted(BlockHash hash, Tier tier) implements BlockEvent {}

    /** The holder holds nothing any more, in any tier. */
    record Cleared() implements BlockEvent {}
}
