package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;
import dev.kvasir.kvstore.index.Holder;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Keeper;
import dev.kvasir.kvstore.index.PrefixIndex;
import dev.kvasir.kvstore.index.Tier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The kvstores: each takes the blocks that workers let go of and that are its own by the rule that workers apply, and gives up
 * what was asked for or offered longest ago.
 */
final class SimulatedStores {
    /** As real ones: 128 blocks of 16 tokens. */
    private static final int SEGMENT_TOKENS = 2048;

    private final IndexReplica replica;
    private final int segmentBlocks;
    private final List<Store> stores = new ArrayList<>();
    private final List<Store> bySlot = new ArrayList<>();
    private final Map<BlockHash, Store> keepers = new HashMap<>();
    private final Set<Store> changed = new LinkedHashSet<>();
    private long takenBlocks;

    /** One of them. */
    private final class Store implements BlockCache.Changes {
        private final String address;
        private final BlockCache cache;
        private final Link link = new Link();
        private final HolderNews news;

        Store(String address, int blocks) {
            this.address = address;
            this.cache = new BlockCache(blocks);
            this.news = new HolderNews(replica, new Holder(address, 0));
        }

        @Override
        public void stored(BlockHash hash, @Nullable BlockHash parent) {
            takenBlocks++;
            changed.add(this);
            news.stored(hash, parent, Tier.HOST);
        }

        @Override
        public void evicted(BlockHash hash) {
            changed.add(this);
            news.evicted(hash, Tier.HOST);
        }
    }

    /** So many, which have {@code blocks} together. */
    SimulatedStores(int count, int blocks, int blockSize, IndexReplica replica) {
        this.replica = replica;
        this.segmentBlocks = Math.max(1, SEGMENT_TOKENS / blockSize);
        for (int i = 0; i < count; i++) {
            var store = new Store("kvstore-" + i, blocks / count + (i < blocks % count ? 1 : 0));
            stores.add(store);
            while (bySlot.size() <= store.news.slot()) {
                bySlot.add(store);
            }
            bySlot.set(store.news.slot(), store);
        }
    }

    int segmentBlocks() {
        return segmentBlocks;
    }

    /** A worker lets go of a block. */
    void offer(Chains.Place block) {
        var place = Segments.place(block.chain(), block.depth(), segmentBlocks);
        var store = keepers.computeIfAbsent(
                place, p -> Keeper.of(p, stores, s -> s.address).orElseThrow());
        store.cache.use(block.chain().get(block.depth()), null, store);
    }

    /** Blocks of a chain that one of them has, after the first {@code from}, and its network; null where the next is nowhere. */
    @Nullable
    Leg leg(HashChain chain, int from) {
        int slot = replica.index().anyHolder(chain.get(from));
        if (slot == PrefixIndex.UNKNOWN) {
            return null;
        }
        var store = bySlot.get(slot);
        int end = from;
        while (end < chain.size() && store.cache.contains(chain.get(end))) {
            end++;
        }
        for (int i = end - 1; i >= from; i--) {
            store.cache.use(chain.get(i), null, store);
        }
        return end == from ? null : new Leg(store.link, from, end);
    }

    void flush() {
        changed.forEach(store -> store.news.flush());
        changed.clear();
    }

    /** Blocks that came from workers. */
    long takenBlocks() {
        return takenBlocks;
    }

    /** Blocks of the one that has most, over the mean; 1 where there are none. */
    double spread() {
        double all = stores.stream().mapToInt(store -> store.cache.size()).sum();
        int most = stores.stream().mapToInt(store -> store.cache.size()).max().orElse(0);
        return all == 0 ? 1 : most * stores.size() / all;
    }
}
