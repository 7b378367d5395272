package dev.kvasir.router.placement;

import dev.kvasir.kvstore.index.IndexReplica;
import java.util.BitSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Where a router looks up who holds a prompt's blocks. */
@FunctionalInterface
public interface PrefixSource {
    /** Who has the query's prompt; null where nothing is known yet. */
    @Nullable
    Prefixes prefixes(Query query);

    /**
     * Who has which blocks of one kind.
     *
     * @param replica of what workers have, from the beginnings of chains
     * @param offering slots in its index of those that others may pull from
     * @param stores of what kvstores have, from anywhere in their chains; all of it may be pulled
     * @param segmentBlocks blocks of a chain that kvstores keep together
     * @param ofUse whether a worker computes such blocks itself, and so may go on from those of others
     */
    record Prefixes(
            IndexReplica replica, BitSet offering, IndexReplica stores, int segmentBlocks, Predicate<WorkerId> ofUse) {}
}
