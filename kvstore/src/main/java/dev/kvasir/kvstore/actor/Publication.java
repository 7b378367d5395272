package dev.kvasir.kvstore.actor;

import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.BlockNews;
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
import java.util.Collection;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/** What a holder tells the prefix index of its blocks, and how it answers. Applies {@link HolderJournal}. Of one thread. */
public final class Publication {
    /** The blocks' owner. */
    public interface Owner {
        /** Next news; null where there are none. */
        BlockFeed.@Nullable Batch poll();

        /** News were dropped and the owner must tell all once more; returns at once. */
        void tellAnewIfLost();
    }

    private final Holder holder;
    private final Owner owner;
    private final ShardRoute shards;
    private final ActorRef<HolderReply> replies;
    private final HolderJournal journal;
    private final HolderJournal.Outbox outbox = new ToShards();

    /**
     * Of a holder whose pool has the shards named, by range.
     *
     * @param replies where shards answer to
     */
    public Publication(
            Holder holder, List<String> shardNames, Owner owner, ShardRoute shards, ActorRef<HolderReply> replies) {
        this.holder = holder;
        this.owner = owner;
        this.shards = shards;
        this.replies = replies;
        this.journal = new HolderJournal(shardNames);
    }

    /** Tells all news, and says whether there were some. */
    public boolean drain() {
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
        owner.tellAnewIfLost();
        return some;
    }

    /** Renews the leases of blocks; after all news. */
    public void renew() {
        journal.renew(outbox);
    }

    /** A shard's answer; false where it knows a later life of this holder and does not listen to this one. */
    public boolean replied(HolderReply reply) {
        return switch (reply) {
            case SendContents(var shard, var incarnation) -> {
                if (incarnation == holder.incarnation()) {
                    drain();
                    journal.asked(shard, outbox);
                }
                yield true;
            }
            case Fenced _ -> false;
        };
    }

    /** All blocks go. */
    public void leave() {
        journal.leave(outbox);
    }

    /** What the shards have been told. */
    public Collection<BlockNews> told() {
        return journal.all();
    }

    /** A cluster without index is told nothing; the journal goes on, and shards that appear ask. */
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
