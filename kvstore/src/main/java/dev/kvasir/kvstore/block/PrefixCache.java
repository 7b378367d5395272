package dev.kvasir.kvstore.block;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Finds blocks by what is in them, and is the one door through which block tables change. Used by the engine's thread
 * alone.
 *
 * <p>Guarantees: a hash is known for at most one block, and only for used and cached ones; a block's hash is known only
 * while its parent's is. For the latter, a table holds the known block of each hash (two sequences that computed the same
 * block end up sharing it), and tables give their blocks back last entry first, so that the least recently used block of
 * a chain is its tail (as in vLLM's automatic prefix caching).
 */
public final class PrefixCache {
    /** Returned by {@link #makeWritable} where nothing had to be copied. */
    public static final int NOT_COPIED = -1;

    private final BlockPool pool;
    private final Map<BlockHash, Integer> blockByHash;
    private final @Nullable BlockHash[] hashByBlock;
    private final @Nullable BlockHash[] parentByBlock;
    private final @Nullable BlockHash[] firstByBlock;
    private final @Nullable BlockHash[] placeByBlock;
    private final int[] depthByBlock;
    private final int[] usesByBlock;
    private BlockListener listener = BlockListener.NONE;
    private long queriedTokens;
    private long hitTokens;
    private long evictions;

    public PrefixCache(BlockPool pool) {
        this.pool = pool;
        this.blockByHash = HashMap.newHashMap(pool.capacity());
        this.hashByBlock = new BlockHash[pool.capacity()];
        this.parentByBlock = new BlockHash[pool.capacity()];
        this.firstByBlock = new BlockHash[pool.capacity()];
        this.placeByBlock = new BlockHash[pool.capacity()];
        this.depthByBlock = new int[pool.capacity()];
        this.usesByBlock = new int[pool.capacity()];
    }

    /** Is told of each block that becomes known or is forgotten from now on. */
    public void listen(BlockListener next) {
        listener = next;
    }

    public BlockPool pool() {
        return pool;
    }

    /** How many of the first {@code blocksMax} blocks of a chain are known. Changes nothing. */
    public int match(HashChain chain, int blocksMax) {
        int count = 0;
        int end = Math.min(blocksMax, chain.size());
        while (count < end && blockByHash.containsKey(chain.get(count))) {
            count++;
        }
        return count;
    }

    /** The known block of a matched hash. */
    public int block(BlockHash hash) {
        var block = blockByHash.get(hash);
        if (block == null) {
            throw new IllegalStateException("no block has the hash " + hash);
        }
        return block;
    }

    /** Makes the first {@code count} blocks of a chain, all known, the first entries of an empty table, and counts that use. */
    public void attach(HashChain chain, int count, BlockTable table) {
        hold(chain, count, table);
        for (int i = 0; i < count; i++) {
            int block = table.get(i);
            if (Integer.bitCount(++usesByBlock[block]) == 1) {
                listener.reused(block);
            }
        }
    }

    /** The same, for a table that only keeps the blocks from going. */
    public void hold(HashChain chain, int count, BlockTable table) {
        if (table.size() != 0) {
            throw new IllegalStateException("a table of " + table.size() + " entries takes no prefix");
        }
        for (int i = 0; i < count; i++) {
            int block = block(chain.get(i));
            pool.retain(block);
            table.append(block);
        }
    }

    /** Appends blocks until the table has {@code size}; the caller knows that so many are available. */
    public void grow(BlockTable table, int size) {
        while (table.size() < size) {
            table.append(allocate());
        }
    }

    /** Makes {@code copy}, an empty table, share all blocks of {@code table}. */
    public void fork(BlockTable table, BlockTable copy) {
        for (int i = 0; i < table.size(); i++) {
            pool.retain(table.get(i));
            copy.append(table.get(i));
        }
    }

    /**
     * Makes sure that no other table sees writes to an entry. Where the block is shared the entry becomes a new block, and
     * the shared one is returned: its content must be copied before anything is written; else {@link #NOT_COPIED}.
     */
    public int makeWritable(BlockTable table, int index) {
        int shared = table.get(index);
        if (pool.references(shared) == 1) {
            return NOT_COPIED;
        }
        table.replace(index, allocate());
        pool.release(shared);
        return shared;
    }

    /**
     * Makes a full, computed block known under its hash; those before it must be known. Where another block is known under
     * it already, the entry becomes that block.
     */
    public void commit(HashChain chain, int index, BlockTable table) {
        var hash = chain.get(index);
        int own = table.get(index);
        var known = blockByHash.putIfAbsent(hash, own);
        if (known == null) {
            hashByBlock[own] = hash;
            parentByBlock[own] = chain.parent(index);
            firstByBlock[own] = chain.get(0);
            placeByBlock[own] = placeOf(chain, index, table);
            depthByBlock[own] = index;
            usesByBlock[own] = 0;
            pool.keep(own);
            listener.stored(own);
        } else if (known != own) {
            pool.retain(known);
            table.replace(index, known);
            pool.release(own);
        }
    }

    /** A block that was just generated is kept with the one before it: its segment has no end yet. */
    private BlockHash placeOf(HashChain chain, int index, BlockTable table) {
        boolean ends = chain.size() == index + 1;
        var before = ends && index % Segments.BLOCKS > 0 ? placeByBlock[table.get(index - 1)] : null;
        return before == null ? Segments.place(chain, index, Segments.BLOCKS) : before;
    }

    /** Gives all blocks of a table back, last entry first, and empties it. */
    public void release(BlockTable table) {
        while (table.size() > 0) {
            pool.release(table.removeLast());
        }
    }

    /** Forgets all blocks that no table uses. */
    public void clear() {
        while (pool.cached() > 0) {
            evict();
        }
    }

    /** Counts a look-up: tokens of a prompt, and how many of them were found. */
    public void recordLookup(int queried, int hit) {
        queriedTokens += queried;
        hitTokens += hit;
    }

    public long queriedTokens() {
        return queriedTokens;
    }

    public long hitTokens() {
        return hitTokens;
    }

    public long evictions() {
        return evictions;
    }

    /** Hashes known. */
    public int size() {
        return blockByHash.size();
    }

    /** The name of a block; null where it is not known. */
    public @Nullable BlockHash hash(int block) {
        return hashByBlock[block];
    }

    /** The name of the block before it, or the chain's root; null where the block is not known. */
    public @Nullable BlockHash parent(int block) {
        return parentByBlock[block];
    }

    /** The name of the first block of its chain; null where the block is not known. */
    public @Nullable BlockHash first(int block) {
        return firstByBlock[block];
    }

    /** What decides which kvstore may keep it, see {@link Segments#place}; null where the block is not known. */
    public @Nullable BlockHash place(int block) {
        return placeByBlock[block];
    }

    /** Blocks before it in its chain. */
    public int depth(int block) {
        return depthByBlock[block];
    }

    /** How often a known block was found and used again. */
    public int uses(int block) {
        return usesByBlock[block];
    }

    public boolean knows(BlockHash hash) {
        return blockByHash.containsKey(hash);
    }

    private int allocate() {
        if (pool.free() == 0) {
            evict();
        }
        return pool.take();
    }

    private void evict() {
        int block = pool.evict();
        listener.evicting(block);
        blockByHash.remove(hashByBlock[block]);
        hashByBlock[block] = null;
        parentByBlock[block] = null;
        firstByBlock[block] = null;
        placeByBlock[block] = null;
        evictions++;
    }
}
