package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The blocks of one holder as a shard knows them, by chain. */
final class HeldBlocks {
    private static final Tier[] TIERS = Tier.values();

    private static final class Block {
        private final @Nullable BlockHash parent;
        private int tiers;

        Block(@Nullable BlockHash parent) {
            this.parent = parent;
        }
    }

    private final Map<BlockHash, Map<BlockHash, Block>> chains = new HashMap<>();
    private int size;

    /** Blocks, each once whatever its tiers. */
    int size() {
        return size;
    }

    Set<BlockHash> chains() {
        return chains.keySet();
    }

    boolean hasChain(BlockHash first) {
        return chains.containsKey(first);
    }

    boolean has(BlockHash first, BlockHash hash) {
        return chains.getOrDefault(first, Map.of()).containsKey(hash);
    }

    void store(BlockHash first, @Nullable BlockHash parent, BlockHash hash, Tier tier) {
        var chain = chains.computeIfAbsent(first, _ -> new LinkedHashMap<>());
        var block = chain.get(hash);
        if (block == null) {
            block = new Block(parent);
            chain.put(hash, block);
            size++;
        }
        block.tiers |= tier.bit();
    }

    void evict(BlockHash first, BlockHash hash, Tier tier) {
        var chain = chains.get(first);
        var block = chain == null ? null : chain.get(hash);
        if (chain == null || block == null) {
            return;
        }
        block.tiers &= ~tier.bit();
        if (block.tiers == 0) {
            chain.remove(hash);
            size--;
            if (chain.isEmpty()) {
                chains.remove(first);
            }
        }
    }

    /** Forgets a chain; answers with the changes that say so. */
    List<List<Change>> drop(BlockHash first) {
        var runs = new ChangeRuns();
        var chain = chains.remove(first);
        if (chain != null) {
            size -= chain.size();
            for (var tier : TIERS) {
                chain.forEach((hash, block) -> {
                    if ((block.tiers & tier.bit()) != 0) {
                        runs.add(new BlockNews(false, tier, first, block.parent, hash));
                    }
                });
            }
        }
        return runs.messages();
    }

    /** Everything, each list fit for one message. */
    List<List<Change>> contents() {
        var runs = new ChangeRuns();
        for (var tier : TIERS) {
            chains.forEach((first, chain) -> chain.forEach((hash, block) -> {
                if ((block.tiers & tier.bit()) != 0) {
                    runs.add(new BlockNews(true, tier, first, block.parent, hash));
                }
            }));
        }
        return runs.messages();
    }
}
