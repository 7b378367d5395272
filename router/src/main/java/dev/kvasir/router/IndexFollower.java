package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.shard.PoolReplica;
import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.kvstore.shard.ShardReplica;
import dev.kvasir.kvstore.shard.ShardRoute;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.PrefixCacheProtocol.Follow;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.router.placement.PrefixSource.Prefixes;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A router's copy of the prefix index: follows the shards of all pools that it has workers of, says which members hold a
 * prompt's blocks, and which of them a worker could pull from. Belongs to the router actor; time comes from outside.
 */
public final class IndexFollower {
    /** Pools of a model that are followed: workers that are refused have others, and those before an upgrade. */
    private static final int POOLS_MAX = 4;

    private static final int WORKERS_MAX = 8192;

    private static final long ASK_AGAIN_NANOS = 2_000_000_000;

    private final ShardRoute shards;
    private final int shardsPerPool;
    private final IndexReplica.Limits limits;
    private final Map<String, PoolReplica> pools = new HashMap<>();
    private final Map<String, LinkedHashSet<String>> poolsByModel = new HashMap<>();
    private final Map<dev.kvasir.kvstore.index.Holder, String> poolByWorker = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<dev.kvasir.kvstore.index.Holder, String> oldest) {
            return size() > WORKERS_MAX;
        }
    };
    private final Match match = new Match();

    /** A follower of nothing yet; {@code blocksMax} bounds the copy of each shard. */
    public IndexFollower(ShardRoute shards, int shardsPerPool, int blocksMax) {
        this.shards = shards;
        this.shardsPerPool = shardsPerPool;
        this.limits = new IndexReplica.Limits(blocksMax, 2 * blocksMax, blocksMax, ASK_AGAIN_NANOS);
    }

    /** These workers, and no others, may be given requests: their pools are followed from now on. */
    public void serve(List<Description> workers, ActorRef<Update> self, long nowNanos) {
        for (var worker : workers) {
            var pool = ShardName.pool(worker.kvOrigin(), worker.kvCacheDtype(), worker.blockSize());
            poolByWorker.put(new dev.kvasir.kvstore.index.Holder(worker.address(), worker.incarnation()), pool);
            serve(worker, pool, self, nowNanos);
        }
    }

    private void serve(Description worker, String pool, ActorRef<Update> self, long nowNanos) {
        var ofModel = poolsByModel.computeIfAbsent(worker.model(), _ -> new LinkedHashSet<>());
        ofModel.remove(pool);
        ofModel.addLast(pool);
        if (ofModel.size() > POOLS_MAX) {
            var oldest = ofModel.removeFirst();
            if (poolsByModel.values().stream().noneMatch(names -> names.contains(oldest))) {
                pools.remove(oldest);
            }
        }
        if (!pools.containsKey(pool)) {
            var replica = new PoolReplica(pool, shardsPerPool, limits);
            pools.put(pool, replica);
            replica.shards().forEach(shard -> follow(replica, shard, self, nowNanos));
        }
    }

    /** Asks all shards to go on; once a second. */
    public void followAll(ActorRef<Update> self, long nowNanos) {
        pools.values().forEach(pool -> pool.shards().forEach(shard -> follow(pool, shard, self, nowNanos)));
    }

    public void updated(Update update, ActorRef<Update> self, long nowNanos) {
        for (var pool : pools.values()) {
            if (pool.apply(update, nowNanos)) {
                follow(pool, update.shard(), self, nowNanos);
            }
        }
    }

    private void follow(PoolReplica pool, String name, ActorRef<Update> self, long nowNanos) {
        var shard = pool.shard(name);
        if (shard != null && shards.exist()) {
            shards.tell(name, new Follow(shard.life(), shard.positions(nowNanos), self));
        }
    }

    /** Copies of all pools that are followed, for tests and simulations. */
    public Collection<PoolReplica> copies() {
        return Collections.unmodifiableCollection(pools.values());
    }

    /** Who has blocks of a prompt; null where nothing is known. */
    public @Nullable Prefixes prefixes(String model, HashChain prompt) {
        var shard = shard(model, prompt);
        return shard == null
                ? null
                : new Prefixes(
                        shard.replica(),
                        shard.offering(),
                        shard.stores(),
                        Segments.BLOCKS,
                        worker -> isOf(poolByWorker.get(worker.holder()), shard, prompt));
    }

    /** Of the pool that knows the prompt's first block, else of the one that was described last. */
    private @Nullable ShardReplica shard(String model, HashChain prompt) {
        ShardReplica shard = null;
        for (var name : poolsByModel.getOrDefault(model, new LinkedHashSet<>())) {
            var pool = pools.get(name);
            var found = pool == null ? null : pool.of(prompt).orElse(null);
            if (found != null && (shard == null || knows(found, prompt) || !knows(shard, prompt))) {
                shard = found;
            }
        }
        return shard;
    }

    private boolean knows(ShardReplica shard, HashChain prompt) {
        return shard.replica().index().isHeld(prompt.get(0))
                || shard.stores().index().isHeld(prompt.get(0));
    }

    private boolean isOf(@Nullable String pool, ShardReplica shard, HashChain prompt) {
        var replica = pool == null ? null : pools.get(pool);
        return replica != null && replica.of(prompt).filter(shard::equals).isPresent();
    }

    /** Who has more of a prompt than the worker that is to compute it, and can be pulled from; in the order of the prompt. */
    public List<KvSource> sources(String model, HashChain prompt, String workerAddress, long workerIncarnation) {
        var worker = new dev.kvasir.kvstore.index.Holder(workerAddress, workerIncarnation);
        var shard = shard(model, prompt);
        // What others compute in another way is of no use to it.
        if (shard == null || !isOf(poolByWorker.get(worker), shard, prompt)) {
            return List.of();
        }
        var index = shard.replica().index();
        index.match(prompt, prompt.size(), match);
        return Sources.of(shard, prompt, match, match.blocks(index.slot(worker)), Segments.BLOCKS);
    }
}
