package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.actor.Publication;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Publishes the blocks of a worker or a kvstore: what its actor applies, told what it is told. */
final class HolderShell {
    /** The blocks' owner. */
    interface Owner extends Publication.Owner {
        /** All blocks that it has, with the tiers that they are in; null while news of them are still to be handed over. */
        @Nullable
        Map<BlockHash, Integer> held();
    }

    private final World world;
    private final Life self;
    private final Holder holder;
    private final Owner owner;
    private final Publication publication;
    private boolean awake;

    HolderShell(World world, Life self, Holder holder, Owner owner) {
        this.world = world;
        this.self = self;
        this.holder = holder;
        this.owner = owner;
        var replies = new Ref<HolderReply>(world, self, this::replied);
        this.publication = new Publication(
                holder, world.shardNames(), owner, world.sharding().from(self), replies);
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
        if (publication.drain()) {
            world.told(this);
        }
    }

    private void renew() {
        drain();
        world.told(this);
        publication.renew();
    }

    /** What its shards have been told. */
    Map<BlockHash, Integer> told() {
        var told = new HashMap<BlockHash, Integer>();
        for (var news : publication.told()) {
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
        publication.leave();
    }

    private void replied(HolderReply reply) {
        if (publication.replied(reply)) {
            world.told(this);
        }
    }
}
