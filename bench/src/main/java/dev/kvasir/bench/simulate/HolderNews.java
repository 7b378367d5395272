package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.BlockEvent;
import dev.kvasir.kvstore.index.EventBatch;
import dev.kvasir.kvstore.index.Holder;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a member tells the router's copy of the index of its blocks, after each of its steps. */
final class HolderNews {
    private final IndexReplica replica;
    private final Holder holder;
    private final List<BlockEvent> events = new ArrayList<>();
    private long nextSequence = 1;

    /** Of a member that has joined with no blocks. */
    HolderNews(IndexReplica replica, Holder holder) {
        this.replica = replica;
        this.holder = holder;
        replica.join(holder);
        replica.apply(new SnapshotPart(holder, 0, 0, 1, List.of()), 0);
    }

    /** In the index. */
    int slot() {
        return replica.index().slot(holder);
    }

    void stored(BlockHash hash, @Nullable BlockHash parent, Tier tier) {
        events.add(new BlockEvent.Stored(hash, parent, tier));
    }

    void evicted(BlockHash hash, Tier tier) {
        events.add(new BlockEvent.Evicted(hash, tier));
    }

    void flush() {
        if (!events.isEmpty()) {
            replica.apply(new EventBatch(holder, nextSequence, events));
            nextSequence += events.size();
            events.clear();
        }
    }
}
