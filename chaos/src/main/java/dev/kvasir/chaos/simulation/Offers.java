package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.worker.engine.SharedBlocks;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Offers a worker's blocks to kvstores, a chain's to one of them, in the background as its thread does it. */
final class Offers {
    private static final long LINGER = 20 * Timeline.MILLI;
    private static final long HAND_OVER_TIMEOUT = 2 * Timeline.SECOND;

    private final World world;
    private final Life self;
    private final Holder own;
    private final Map<BlockHash, BlockHash> waiting = new LinkedHashMap<>();

    Offers(World world, Life self, Holder own) {
        this.world = world;
        this.self = self;
        this.own = own;
    }

    SharedBlocks.Offering ofCopies() {
        return new SharedBlocks.Offering() {
            @Override
            public void copied(StoredBlock block) {
                add(block.first(), block.hash());
            }

            @Override
            public void completed(BlockHash first, BlockHash hash) {}
        };
    }

    SharedBlocks.Offering ofAll() {
        return new SharedBlocks.Offering() {
            @Override
            public void copied(StoredBlock block) {}

            @Override
            public void completed(BlockHash first, BlockHash hash) {
                add(first, hash);
            }
        };
    }

    private void add(BlockHash first, BlockHash hash) {
        if (world.geometry().storeBlocks() == 0) {
            return;
        }
        if (waiting.isEmpty()) {
            self.after(LINGER, () -> {
                var batch = new LinkedHashMap<>(waiting);
                waiting.clear();
                offer(batch, () -> {});
            });
        }
        waiting.put(hash, first);
    }

    /** Offers all; {@code then} runs once, when all was looked at or time is up. */
    void handOver(Map<BlockHash, BlockHash> all, Runnable then) {
        var once = new Runnable() {
            private boolean ran;

            @Override
            public void run() {
                if (!ran) {
                    ran = true;
                    then.run();
                }
            }
        };
        if (all.isEmpty() || world.geometry().storeBlocks() == 0) {
            once.run();
            return;
        }
        self.after(HAND_OVER_TIMEOUT, once);
        offer(all, once);
    }

    /** @param firstByHash blocks, each with the first of its chain */
    private void offer(Map<BlockHash, BlockHash> firstByHash, Runnable then) {
        var byStore = new LinkedHashMap<Life, List<BlockHash>>();
        firstByHash.forEach((hash, first) -> {
            var store = store(first);
            if (store != null) {
                byStore.computeIfAbsent(store, _ -> new ArrayList<>()).add(hash);
            }
        });
        var left = new int[] {byStore.size()};
        if (byStore.isEmpty()) {
            then.run();
        }
        byStore.forEach((store, hashes) -> {
            var taken = new Ref<Message.Taken>(world, self, _ -> {
                if (--left[0] == 0) {
                    then.run();
                }
            });
            world.network().send(self, store, new Message.Offer(own, hashes, taken));
        });
    }

    private @Nullable Life store(BlockHash first) {
        var stores = world.membership().others(self).stream()
                .filter(other -> World.isStore(other.name()))
                .sorted(Comparator.comparing(Life::name))
                .toList();
        return stores.isEmpty() ? null : stores.get((int) Long.remainderUnsigned(first.low(), stores.size()));
    }
}
