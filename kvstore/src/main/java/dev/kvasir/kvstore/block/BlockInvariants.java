package dev.kvasir.kvstore.block;

import dev.kvasir.kvstore.hash.BlockHash;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What holds of pool, cache and tables after every operation. Costs time in proportion to the pool: for tests and for
 * looking at a worker that is at rest.
 */
public final class BlockInvariants {
    private BlockInvariants() {}

    /**
     * Throws IllegalStateException naming the first violation.
     *
     * @param tables of all live sequences
     * @param roots the roots of all chains ever used
     */
    public static void check(PrefixCache cache, Collection<BlockTable> tables, Collection<BlockHash> roots) {
        var pool = cache.pool();
        require(
                pool.free() >= 0 && pool.cached() >= 0 && pool.used() >= 0,
                "negative count: free %d, cached %d, used %d",
                pool.free(),
                pool.cached(),
                pool.used());
        checkReferences(pool, tables);
        checkStates(cache);
        checkChains(cache, new HashSet<>(roots));
    }

    private static void checkReferences(BlockPool pool, Collection<BlockTable> tables) {
        var counted = new int[pool.capacity()];
        for (var table : tables) {
            for (int i = 0; i < table.size(); i++) {
                counted[table.get(i)]++;
            }
        }
        for (int block = 0; block < counted.length; block++) {
            require(
                    counted[block] == pool.references(block),
                    "block %d is in %d tables but has %d references",
                    block,
                    counted[block],
                    pool.references(block));
        }
    }

    private static void checkStates(PrefixCache cache) {
        var pool = cache.pool();
        int used = 0;
        int cached = 0;
        int known = 0;
        for (int block = 0; block < pool.capacity(); block++) {
            var hash = cache.hash(block);
            require(pool.isKept(block) == (hash != null), "block %d is kept without a hash or the reverse", block);
            if (hash != null) {
                known++;
                require(cache.block(hash) == block, "hash %s of block %d points elsewhere", hash, block);
            }
            if (pool.references(block) > 0) {
                used++;
            } else if (hash != null) {
                cached++;
            }
        }
        require(known == cache.size(), "%d blocks have hashes but %d hashes are known", known, cache.size());
        require(used == pool.used(), "%d blocks are used but %d are counted", used, pool.used());
        require(cached == pool.cached(), "%d blocks are cached but %d are counted", cached, pool.cached());
    }

    private static void checkChains(PrefixCache cache, Set<BlockHash> roots) {
        for (int block = 0; block < cache.pool().capacity(); block++) {
            var parent = cache.parent(block);
            require(
                    parent == null || roots.contains(parent) || cache.knows(parent),
                    "block %d is known but its parent %s is not",
                    block,
                    parent);
        }
    }

    @SuppressWarnings("AnnotateFormatMethod") // The annotation would be a dependency for eight literals.
    private static void require(boolean holds, String message, @Nullable Object... values) {
        if (!holds) {
            throw new IllegalStateException(message.formatted(values));
        }
    }
}
