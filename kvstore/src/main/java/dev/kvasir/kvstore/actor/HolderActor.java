package dev.kvasir.kvstore.actor;

import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.BlockNews;
import dev.kvasir.kvstore.shard.HolderJournal;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Contents;
import dev.kvasir.protocol.PrefixCacheProtocol.Fenced;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.Leave;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.SendContents;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Publishes a holder's blocks to the prefix index and renews its leases there. Applies {@link HolderJournal}. */
public final class HolderActor {
    private static final Logger LOG = LoggerFactory.getLogger(HolderActor.class);
    private static final Duration RENEW_EVERY = Duration.ofSeconds(1);

    /** What the actor hears from its own process. */
    public sealed interface Command {}

    /** The feed has something. */
    public record Poll() implements Command {}

    private record Renewal() implements Command {}

    private record Replied(HolderReply reply) implements Command {}

    /** The blocks' owner. */
    public interface Owner {
        /** Next news; null where there are none. */
        BlockFeed.@org.jspecify.annotations.Nullable Batch poll();

        /** News were dropped and the owner must tell all once more; returns at once. */
        void tellAnewIfLost();
    }

    private final Holder holder;
    private final Owner owner;
    private final PrefixCacheShards shards;
    private final HolderJournal journal;
    private final HolderJournal.Outbox outbox;
    private final ActorRef<HolderReply> replies;
    private boolean fenced;

    private HolderActor(
            ActorContext<Command> context,
            Holder holder,
            List<String> shardNames,
            Owner owner,
            PrefixCacheShards shards) {
        this.holder = holder;
        this.owner = owner;
        this.shards = shards;
        this.journal = new HolderJournal(shardNames);
        this.replies = context.messageAdapter(HolderReply.class, Replied::new);
        this.outbox = new ToShards();
    }

    /** A holder whose pool has the shards named, by range. */
    public static Behavior<Command> create(
            Holder holder, List<String> shardNames, Owner owner, PrefixCacheShards shards) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(new Renewal(), RENEW_EVERY);
            return new HolderActor(context, holder, shardNames, owner, shards).running();
        }));
    }

    private Behavior<Command> running() {
        return Behaviors.receive(Command.class)
                .onAnyMessage(command -> {
                    switch (command) {
                        case Poll _ -> drain();
                        case Renewal _ -> renew();
                        case Replied(var reply) -> replied(reply);
                    }
                    return Behaviors.same();
                })
                .onSignal(PostStop.class, _ -> {
                    journal.leave(outbox);
                    return Behaviors.same();
                })
                .build();
    }

    private void drain() {
        BlockFeed.Batch batch;
        while ((batch = owner.poll()) != null) {
            if (batch.anew()) {
                journal.begin(batch.news(), outbox);
            } else {
                for (BlockNews news : batch.news()) {
                    journal.note(news);
                }
            }
        }
        journal.flush(outbox);
        owner.tellAnewIfLost();
    }

    private void renew() {
        drain();
        journal.renew(outbox);
    }

    private void replied(HolderReply reply) {
        switch (reply) {
            case SendContents(var shard, var incarnation) -> {
                if (incarnation == holder.incarnation()) {
                    drain();
                    journal.asked(shard, outbox);
                }
            }
            case Fenced(var shard, var incarnation) -> {
                if (!fenced) {
                    fenced = true;
                    LOG.error(
                            "Shard {} of the prefix index knows a later life than {} of {}; this one is not listened to",
                            shard,
                            Long.toHexString(incarnation),
                            holder.address());
                }
            }
        }
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
