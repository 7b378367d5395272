package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.HolderJournal;
import dev.kvasir.kvstore.shard.ShardRoute;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Contents;
import dev.kvasir.protocol.PrefixCacheProtocol.Fenced;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.Leave;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.SendContents;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** Publishes the blocks of a worker or a kvstore: {@link HolderJournal}, told what its actor is told. */
final class HolderShell {
    /** The blocks' owner. */
    interface Owner {
        BlockFeed.@Nullable Batch poll();

        void tellAnewIfLost();

        /** All blocks that it has, with the tiers that they are in; null while news of them are still to be handed over. */
        @Nullable
        Map<BlockHash, Integer> held();
    }

    private final World world;
    private final Life self;
    private final Holder holder;
    private final Owner owner;
    private final ShardRoute shards;
    private final HolderJournal journal;
    private final ActorRef<HolderReply> replies;
    private final HolderJournal.Outbox outbox = new ToShards();
    private boolean awake;

    HolderShell(World world, Life self, Holder holder, Owner owner) {
        this.world = world;
        this.self = self;
        this.holder = holder;
        this.owner = owner;
        this.shards = world.sharding().from(self);
        this.journal = new HolderJournal(world.shardNames());
        this.replies = new Ref<>(world, self, this::replied);
    }

    void start() {
        self.every(Timeline.SECOND, this::renew);
    }

    Holder holder() {
        return holder;
    }

    /** The feed has something. */
    void wake() {
        if (!awake) {
            awake = true;
            self.after(0, this::drain);
        }
    }

    /** Takes what the feed has. */
    void drain() {
        awake = false;
        boolean some = false;
        BlockFeed.Batch batch;
        while ((batch = owner.poll()) != null) {
            some = true;
            if (batch.anew()) {
                journal.begin(batch.news(), outbox);
            } else {
                batch.news().forEach(journal::note);
            }
        }
        journal.flush(outbox);
        if (some) {
            world.told(this);
        }
        owner.tellAnewIfLost();
    }

    private void renew() {
        drain();
        world.told(this);
        journal.renew(outbox);
    }

    /** What its shards have been told. */
    Map<BlockHash, Integer> told() {
        var told = new HashMap<BlockHash, Integer>();
        for (var news : journal.all()) {
            told.merge(news.hash(), news.tier().bit(), (one, other) -> one | other);
        }
        return told;
    }

    /** What it has; null while news of that are still to be handed over. */
    @Nullable
    Map<BlockHash, Integer> held() {
        return owner.held();
    }

    @Override
    public String toString() {
        return self.toString();
    }

    void leave() {
        journal.leave(outbox);
    }

    private void replied(HolderReply reply) {
        switch (reply) {
            case SendContents(var shard, var incarnation) -> {
                if (incarnation == holder.incarnation()) {
                    drain();
                    journal.asked(shard, outbox);
                }
            }
            case Fenced _ -> {}
        }
    }

    private final class ToShards implements HolderJournal.Outbox {
        @Override
        public void publish(String shard, long firstSequence, List<Change> changes) {
            if (shards.exist()) {
                shards.tell(shard, new Publish(holder, firstSequence, changes, replies));
            }
        }

        @Override
        public void contents(String shard, long sequence, int part, int parts, List<Change> blocks) {
            if (shards.exist()) {
                shards.tell(shard, new Contents(holder, sequence, part, parts, blocks, replies));
            }
        }

        @Override
        public void renew(String shard, long sequence) {
            if (shards.exist()) {
                shards.tell(shard, new Renew(holder, sequence, replies));
            }
        }

        @Override
        public void leave(String shard) {
            if (shards.exist()) {
                shards.tell(shard, new Leave(holder));
            }
        }
    }
}
