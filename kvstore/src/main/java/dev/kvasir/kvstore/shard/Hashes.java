package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.HashList;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** Block hashes between their typed and their packed form. */
public final class Hashes {
    private Hashes() {}

    public static BlockHash get(HashList list, int index) {
        return new BlockHash(list.high(index), list.low(index));
    }

    public static HashList list(Collection<BlockHash> hashes) {
        var list = new HashList.Builder();
        hashes.forEach(hash -> list.add(hash.high(), hash.low()));
        return list.build();
    }

    public static BlockHash first(Change change) {
        return new BlockHash(change.firstHigh(), change.firstLow());
    }

    /** Of the block at {@code index} of a change that stores; null for a chain's first. */
    public static @Nullable BlockHash parent(Change change, int index) {
        if (index > 0) {
            return get(change.hashes(), index - 1);
        }
        return change.beginsChain() ? null : new BlockHash(change.parentHigh(), change.parentLow());
    }
}
