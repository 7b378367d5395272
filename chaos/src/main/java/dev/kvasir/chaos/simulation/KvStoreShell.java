package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.IndexShard;
import dev.kvasir.kvstore.store.Pool;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.PrefixCacheProtocol.Contents;
import dev.kvasir.protocol.PrefixCacheProtocol.Follow;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.Leave;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.v1.transfer.OfferRequest;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A kvstore: an {@link IndexShard} for each shard that it is the home of, told what their actors are told; and memory and
 * disk for blocks, {@link Pool}, which it pulls from workers that offer them.
 */
class KvStoreShell implements Life.Program, TransferHost {
    /** A shard, and its followers whose end is watched. */
    static final class Hosted {
        private final long life;
        private final IndexShard<ActorRef<HolderReply>, ActorRef<Update>> shard;
        private final Set<ActorRef<Update>> watched = new LinkedHashSet<>();

        Hosted(long life, IndexShard<ActorRef<HolderReply>, ActorRef<Update>> shard) {
            this.life = life;
            this.shard = shard;
        }

        long life() {
            return life;
        }

        IndexShard<ActorRef<HolderReply>, ActorRef<Update>> shard() {
            return shard;
        }
    }

    static final long LEASE = 5 * Timeline.SECOND;
    private static final Duration OFFER_TIMEOUT = Duration.ofSeconds(5);
    static final long TICK = Timeline.SECOND / 2;

    /** As often as the actor does. */
    private static final long POLL = Timeline.SECOND / 10;

    private static final long DISK_SLOT = 4096;
    private static final long DISK_SLOW = Timeline.SECOND / 2;
    private static final long DISK_RETRY = 2 * Timeline.SECOND;

    private final World world;
    private final Life self;
    private final RandomGenerator random;
    private final Map<String, Hosted> shards = new LinkedHashMap<>();
    private final @Nullable Pool pool;
    private final TransferClient client;
    private final HolderShell publisher;

    KvStoreShell(World world, Life self, RandomGenerator random) {
        this.world = world;
        this.self = self;
        this.random = random;
        this.client = world.wires().client(self);
        int blocks = world.geometry().storeBlocks();
        this.pool = blocks == 0
                ? null
                : new Pool(world.geometry().format(), world.geometry().tierBytes(blocks), this::makeDisk, self::nanos);
        var holder = Holder.ofStore(self.name(), self.incarnation(), self.wallMillis(), self.name());
        this.publisher = new HolderShell(world, self, holder, new Blocks());
    }

    private Optional<DiskTier> makeDisk(DiskTier.Listener listener) {
        int blocks = world.geometry().storeDiskBlocks();
        if (blocks == 0) {
            return Optional.empty();
        }
        var disk = world.disk(self.name());
        return Optional.of(new DiskTier(
                world.geometry().format(),
                Path.of(self.name()),
                disk,
                new DiskTier.Limits((blocks + 1L) * DISK_SLOT, DISK_SLOW, DISK_RETRY),
                () -> self.nanos() + disk.spentNanos(),
                heard(listener)));
    }

    /** Who is told what is on disk. */
    DiskTier.Listener heard(DiskTier.Listener listener) {
        return listener;
    }

    IndexShard.Limits limits() {
        return new IndexShard.Limits(world.geometry().indexBlocks(), 64, 16, LEASE, LEASE / 4, 2 * LEASE);
    }

    @Override
    public void start() {
        var blocks = pool;
        if (blocks != null) {
            publisher.start();
            blocks.openDisk();
            self.every(POLL, () -> poll(blocks.disk()));
        }
        self.every(TICK, () -> shards.values().forEach(this::tick));
    }

    private void poll(@Nullable DiskTier disk) {
        if (disk != null) {
            disk.step();
        }
        publisher.drain();
    }

    private void tick(Hosted hosted) {
        hosted.shard.tick(self.nanos());
        hosted.watched.removeIf(follower -> !hosted.shard.isFollowedBy(follower));
    }

    @Override
    public void receive(Life from, Object message) {
        switch ((Message) message) {
            case Message.ToShard(var name, var command) -> {
                var hosted = shards.get(name);
                if (hosted == null && world.sharding().isHome(self, name)) {
                    hosted = begin(name);
                }
                if (hosted == null) {
                    world.sharding().passOn(self, name, command);
                } else {
                    handle(hosted, command, self.nanos());
                }
            }
            case Message.Drain _ -> {
                if (pool != null) {
                    publisher.leave();
                }
                world.cluster().leave(self);
            }
            case Message.Open _, Message.Resume _, Message.Close _, Message.Said _ ->
                throw new IllegalStateException("a kvstore got " + message);
        }
    }

    /** As the transfer service does it. */
    @Override
    public void offered(OfferRequest offer, OfferAnswer answer) {
        var tier = tier();
        var hashes = Wires.hashes(offer.getHashesList());
        if (tier == null) {
            answer.held(0);
            return;
        }
        var lacking = hashes.stream().filter(hash -> !tier.touch(hash)).toList();
        Runnable tell =
                () -> answer.held((int) hashes.stream().filter(tier::contains).count());
        if (lacking.isEmpty()) {
            tell.run();
            return;
        }
        var transfer = client.pull(
                offer.getTransferAddress(),
                offer.getIncarnation(),
                world.geometry().format(),
                lacking,
                true,
                tier,
                OFFER_TIMEOUT);
        if (transfer == null) {
            answer.refused(Status.RESOURCE_EXHAUSTED);
        } else {
            transfer.whenEnded(tell);
        }
    }

    @Override
    public @Nullable MemoryTier tier() {
        return pool == null ? null : pool.memory();
    }

    @Override
    public void bring(List<BlockHash> hashes, Runnable then) {
        if (pool != null) {
            pool.bring(hashes);
        }
        then.run();
    }

    @Override
    public void end() {
        if (pool != null) {
            pool.close();
        }
    }

    long diskSwitchedOff() {
        var disk = pool == null ? null : pool.disk();
        return disk == null ? 0 : disk.switchedOff();
    }

    /** All blocks in its memory and on its disk, by the first block of their chain. */
    Map<BlockHash, Map<BlockHash, Integer>> heldByFirst() {
        var held = new HashMap<BlockHash, Map<BlockHash, Integer>>();
        if (pool != null) {
            pool.memory().forEach(copy -> hold(held, copy, Tier.HOST));
            var disk = pool.disk();
            if (disk != null) {
                disk.blocks().forEach(copy -> hold(held, copy, Tier.DISK));
            }
        }
        return held;
    }

    private static void hold(Map<BlockHash, Map<BlockHash, Integer>> held, StoredBlock copy, Tier tier) {
        held.computeIfAbsent(copy.first(), _ -> new HashMap<>())
                .merge(copy.hash(), tier.bit(), (one, other) -> one | other);
    }

    /** Null where it has no memory for blocks. */
    @Nullable
    HolderShell publisher() {
        return pool == null ? null : publisher;
    }

    private final class Blocks implements HolderShell.Owner {
        @Override
        public BlockFeed.@Nullable Batch poll() {
            return pool == null ? null : pool.poll();
        }

        @Override
        public void tellAnewIfLost() {}

        @Override
        public Map<BlockHash, Integer> held() {
            var held = new HashMap<BlockHash, Integer>();
            heldByFirst().values().forEach(held::putAll);
            return held;
        }
    }

    private Hosted begin(String name) {
        long life = random.nextLong() | 1;
        var hosted = new Hosted(life, new IndexShard<>(name, life, limits(), new IndexShard.Outbox<>() {
            @Override
            public void toHolder(ActorRef<HolderReply> to, HolderReply reply) {
                to.tell(reply);
            }

            @Override
            public void toFollower(ActorRef<Update> to, Update update) {
                to.tell(update);
            }
        }));
        world.trace().note(self.name(), () -> "begins shard %s, life %x".formatted(name, life));
        shards.put(name, hosted);
        return hosted;
    }

    void handle(Hosted hosted, Command command, long now) {
        var shard = hosted.shard;
        switch (command) {
            case Publish(var holder, var first, var changes, var replyTo) ->
                shard.publish(holder, first, changes, replyTo, now);
            case Contents(var holder, var sequence, var part, var parts, var blocks, var replyTo) ->
                shard.contents(holder, sequence, part, parts, blocks, replyTo, now);
            case Renew(var holder, var sequence, var replyTo) -> shard.renew(holder, sequence, replyTo, now);
            case Leave(var holder) -> shard.leave(holder);
            case Follow(var life, var known, var replyTo) -> {
                shard.follow(life, known, replyTo, now);
                if (shard.isFollowedBy(replyTo)) {
                    hosted.watched.add(replyTo);
                }
            }
        }
    }

    @Override
    public void terminated(String address) {
        for (var hosted : shards.values()) {
            for (var follower : List.copyOf(hosted.watched)) {
                if (Ref.owner(follower).name().equals(address)) {
                    hosted.watched.remove(follower);
                    hosted.shard.unfollow(follower);
                }
            }
        }
    }

    /** A shard has another home now. */
    void stops(String name) {
        shards.remove(name);
    }

    /** Those that run here, whoever thinks so. */
    Map<String, Hosted> shards() {
        return shards;
    }

    @Nullable
    Hosted shard(String name) {
        return shards.get(name);
    }

    Life self() {
        return self;
    }

    @Override
    public String toString() {
        return self.toString();
    }
}
