package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.Tier;
import org.jspecify.annotations.Nullable;

/**
 * The kvstores, as one: it takes every block that workers let go of, with those before it in its chain, and gives up what was
 * asked for or offered longest ago. Each member's network serves a part of it.
 */
final class SimulatedStore implements BlockCache.Changes {
    private final BlockCache cache;
    private final HolderNews news;
    private final Link link;
    private long takenBlocks;

    SimulatedStore(int blocks, int members, HolderNews news) {
        this.link = new Link(members);
        this.cache = new BlockCache(blocks);
        this.news = news;
    }

    Link link() {
        return link;
    }

    /** A worker lets go of a block. */
    void offer(Chains.Place block) {
        cache.use(block.chain(), block.depth() + 1, this);
    }

    /** How many of a chain's first blocks are there, at most so many; they are used now. */
    int read(HashChain chain, int blocks) {
        int there = Math.min(blocks, cache.match(chain));
        cache.use(chain, there, this);
        return there;
    }

    @Override
    public void stored(BlockHash hash, @Nullable BlockHash parent) {
        takenBlocks++;
        news.stored(hash, parent, Tier.HOST);
    }

    @Override
    public void evicted(BlockHash hash) {
        news.evicted(hash, Tier.HOST);
    }

    void flush() {
        news.flush();
    }

    /** Blocks that came from workers. */
    long takenBlocks() {
        return takenBlocks;
    }
}
