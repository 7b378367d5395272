package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/** Blocks kept by time of last use; of a chain, the last blocks go first. */
final class BlockCache {
    private final int capacity;
    private final LinkedHashMap<BlockHash, Boolean> blocks = new LinkedHashMap<>(16, 0.75f, true);

    /** Is told what comes and goes. */
    interface Changes {
        Changes NONE = new Changes() {
            @Override
            public void stored(BlockHash hash, @Nullable BlockHash parent) {}

            @Override
            public void evicted(BlockHash hash) {}
        };

        void stored(BlockHash hash, @Nullable BlockHash parent);

        void evicted(BlockHash hash);
    }

    BlockCache(int capacity) {
        this.capacity = capacity;
    }

    int size() {
        return blocks.size();
    }

    boolean contains(BlockHash hash) {
        return blocks.containsKey(hash);
    }

    /** Length of the longest prefix that is there, in blocks. */
    int match(HashChain chain) {
        return match(chain, 0);
    }

    /** The same for a chain whose first {@code known} blocks lie elsewhere. */
    int match(HashChain chain, int known) {
        int length = known;
        while (length < chain.size() && blocks.containsKey(chain.get(length))) {
            length++;
        }
        return length;
    }

    /** All blocks of the chain are used now, and are kept as far as there is room. */
    void use(HashChain chain, Changes changes) {
        use(chain, chain.size(), changes);
    }

    /** The same with the chain's first {@code count} blocks. */
    void use(HashChain chain, int count, Changes changes) {
        int known = match(chain);
        int kept = Math.min(count, capacity);
        for (int i = kept - 1; i >= 0; i--) {
            blocks.put(chain.get(i), Boolean.TRUE);
        }
        evict(changes);
        for (int i = known; i < kept; i++) {
            changes.stored(chain.get(i), i == 0 ? null : chain.get(i - 1));
        }
    }

    /** One block is used now, whether or not those before it are there. */
    void use(BlockHash hash, @Nullable BlockHash parent, Changes changes) {
        if (capacity > 0 && blocks.put(hash, Boolean.TRUE) == null) {
            changes.stored(hash, parent);
            evict(changes);
        }
    }

    private void evict(Changes changes) {
        while (blocks.size() > capacity) {
            changes.evicted(blocks.pollFirstEntry().getKey());
        }
    }
}
