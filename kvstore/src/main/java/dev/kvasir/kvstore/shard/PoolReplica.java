package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A follower's copy of the index of one pool: a {@link ShardReplica} of each of its shards. Pure, not thread-safe. */
public final class PoolReplica {
    private final Map<String, ShardReplica> byName = new LinkedHashMap<>();
    private final List<ShardReplica> byRange = new ArrayList<>();

    /** An empty copy; the limits are those of each shard. */
    public PoolReplica(String pool, int shardsPerPool, IndexReplica.Limits limits) {
        for (var name : ShardName.all(pool, shardsPerPool)) {
            var shard = new ShardReplica(limits);
            byName.put(name, shard);
            byRange.add(shard);
        }
    }

    /** Names of the pool's shards. */
    public Iterable<String> shards() {
        return byName.keySet();
    }

    public @Nullable ShardReplica shard(String name) {
        return byName.get(name);
    }

    /** Who holds blocks of a chain; empty for a chain without a full block. */
    public Optional<ShardReplica> of(HashChain chain) {
        return chain.size() == 0
                ? Optional.empty()
                : Optional.of(byRange.get(ShardName.range(chain.get(0), byRange.size())));
    }

    /** Applies an update. True where it is worth to follow that shard again at once. */
    public boolean apply(Update update, long nowNanos) {
        var shard = byName.get(update.shard());
        return shard != null && shard.apply(update, nowNanos);
    }

    /** The life of a member that a shard names; for its transfer address. */
    public Optional<Holder> holder(dev.kvasir.kvstore.index.Holder key) {
        return byRange.stream()
                .flatMap(shard -> shard.holders().stream())
                .filter(holder -> ShardReplica.key(holder).equals(key))
                .findFirst();
    }
}
