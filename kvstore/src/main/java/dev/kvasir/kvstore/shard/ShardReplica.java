package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.BlockEvent;
import dev.kvasir.kvstore.index.EventBatch;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.PrefixIndex;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderState;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexContents;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexCurrent;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexGone;
import dev.kvasir.protocol.PrefixCacheProtocol.Position;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A follower's copy of one shard of the index. The shard's updates become feeds of an {@link IndexReplica}; what the copy
 * lacks shows in the {@link #positions} that the next Follow carries. Pure, not thread-safe.
 *
 * <p>Kvstores have parts of chains, workers have beginnings. So that look-ups may rely on the latter, there are two replicas.
 *
 * <p>A shard's new life makes everything void. A copy that has not heard from its shard for a while is not to be trusted
 * with what is new, but what it names was there: see {@link #heardNanos}.
 */
public final class ShardReplica {
    private static final class Known {
        private final Holder holder;
        private HolderState shardState = HolderState.REBUILDING;
        private long sequence = -1;

        Known(Holder holder) {
            this.holder = holder;
        }
    }

    private final IndexReplica replica;
    private final IndexReplica stores;
    private final Map<Holder, Known> known = new HashMap<>();
    private final BitSet offering = new BitSet();
    private long life;
    private long heardNanos;

    public ShardReplica(IndexReplica.Limits limits) {
        this.replica = new IndexReplica(limits);
        this.stores = new IndexReplica(limits);
    }

    /** The blocks of workers; only this class changes them. */
    public IndexReplica replica() {
        return replica;
    }

    /** The blocks of kvstores, of any part of their chains; all of them can be pulled. Only this class changes them. */
    public IndexReplica stores() {
        return stores;
    }

    /** The one of both that a holder's blocks are in. */
    public IndexReplica of(Holder holder) {
        return isScattered(holder) ? stores : replica;
    }

    private static boolean isScattered(Holder holder) {
        return holder.isStore() && !holder.transferAddress().isEmpty();
    }

    /** The name that a holder has in the replica. */
    public static dev.kvasir.kvstore.index.Holder key(Holder holder) {
        return new dev.kvasir.kvstore.index.Holder(holder.address(), holder.incarnation());
    }

    /** Life of the shard as far as it is known; 0 before its first update. */
    public long life() {
        return life;
    }

    /** When the shard was last heard of. */
    public long heardNanos() {
        return heardNanos;
    }

    /** All holders of which something is known. */
    public Collection<Holder> holders() {
        return List.copyOf(known.keySet());
    }

    /** Slots in the workers' index of those that others may pull from. Of this copy; changes with it. */
    public BitSet offering() {
        return offering;
    }

    /** How exactly a holder's blocks are known; null where the holder is not. */
    public IndexReplica.@Nullable State state(Holder holder) {
        var entry = known.get(holder);
        if (entry == null) {
            return null;
        }
        var state = of(holder).state(key(holder));
        return switch (entry.shardState) {
            case COMPLETE -> state;
            case REBUILDING -> IndexReplica.State.REBUILDING;
            case PARTIAL -> state == IndexReplica.State.EXACT ? IndexReplica.State.DEGRADED : state;
        };
    }

    /** Up to which of the shard's events a holder's blocks are known; negative where they are not. */
    public long sequence(Holder holder) {
        var entry = known.get(holder);
        return entry == null ? -1 : entry.sequence;
    }

    /** What to tell the shard with a Follow. */
    public List<Position> positions(long nowNanos) {
        replica.snapshotsDue(nowNanos); // Notes who has room again; asking is by position.
        stores.snapshotsDue(nowNanos);
        var positions = new ArrayList<Position>();
        for (var entry : known.values()) {
            if (of(entry.holder).state(key(entry.holder)) != IndexReplica.State.REBUILDING && entry.sequence >= 0) {
                positions.add(new Position(entry.holder, entry.sequence, entry.shardState));
            }
        }
        return positions;
    }

    /** Applies an update. True where something is missing, so that it is worth to follow again at once. */
    public boolean apply(Update update, long nowNanos) {
        if (update.life() != life) {
            reset(update.life());
        }
        heardNanos = nowNanos;
        return switch (update) {
            case IndexChanges changes -> change(changes);
            case IndexContents contents -> {
                replace(contents, nowNanos);
                yield false;
            }
            case IndexGone gone -> {
                forget(gone.holder());
                yield false;
            }
            case IndexCurrent current -> reconcile(current.holders());
        };
    }

    private void reset(long next) {
        List.copyOf(known.keySet()).forEach(this::forget);
        life = next;
    }

    private void forget(Holder holder) {
        if (known.remove(holder) != null) {
            int slot = replica.index().slot(key(holder));
            if (slot != PrefixIndex.UNKNOWN) {
                offering.clear(slot);
            }
            of(holder).leave(key(holder));
        }
    }

    private Known join(Holder holder) {
        return known.computeIfAbsent(holder, _ -> {
            of(holder).join(key(holder));
            if (!isScattered(holder)) {
                offering.set(
                        replica.index().slot(key(holder)),
                        !holder.transferAddress().isEmpty());
            }
            return new Known(holder);
        });
    }

    private boolean change(IndexChanges changes) {
        var position = changes.position();
        boolean isNew = !known.containsKey(position.holder());
        var entry = join(position.holder());
        entry.shardState = position.state();
        var key = key(entry.holder);
        var copy = of(entry.holder);
        if (isNew && position.sequence() == 1) {
            copy.apply(new SnapshotPart(key, 0, 0, 1, List.of()), heardNanos);
            entry.sequence = 0;
        }
        copy.apply(new EventBatch(key, position.sequence(), events(changes.changes(), copy == stores)));
        boolean whole = copy.state(key) != IndexReplica.State.REBUILDING;
        if (whole) {
            long last = position.sequence() + PrefixCacheProtocol.events(changes.changes()) - 1;
            entry.sequence = Math.max(entry.sequence, last);
        }
        return !whole;
    }

    private void replace(IndexContents contents, long nowNanos) {
        var position = contents.position();
        var entry = join(position.holder());
        var key = key(entry.holder);
        var copy = of(entry.holder);
        boolean whole = copy.state(key) != IndexReplica.State.REBUILDING;
        if (whole && position.sequence() <= entry.sequence) {
            return; // An answer that came too late.
        }
        if (whole || contents.part() == 0) {
            copy.join(key);
        }
        entry.shardState = position.state();
        copy.apply(
                new SnapshotPart(
                        key,
                        position.sequence(),
                        contents.part(),
                        contents.parts(),
                        stored(contents.blocks(), copy == stores)),
                nowNanos);
        if (copy.state(key) != IndexReplica.State.REBUILDING) {
            entry.sequence = position.sequence();
        }
    }

    private boolean reconcile(List<Position> positions) {
        var listed = new HashSet<Holder>();
        boolean lacking = false;
        for (var position : positions) {
            listed.add(position.holder());
            var entry = join(position.holder());
            entry.shardState = position.state();
            lacking |= entry.sequence < position.sequence()
                    || of(entry.holder).state(key(entry.holder)) == IndexReplica.State.REBUILDING;
        }
        List.copyOf(known.keySet()).stream()
                .filter(holder -> !listed.contains(holder))
                .forEach(this::forget);
        return lacking;
    }

    private static List<BlockEvent> events(List<Change> changes, boolean scattered) {
        var events = new ArrayList<BlockEvent>();
        for (var change : changes) {
            for (int i = 0; i < change.hashes().size(); i++) {
                events.add(
                        change.stored()
                                ? stored(change, i, scattered)
                                : new BlockEvent.Evicted(hash(change, i), tier(change.tier())));
            }
        }
        return events;
    }

    private static List<BlockEvent.Stored> stored(List<Change> changes, boolean scattered) {
        var stored = new ArrayList<BlockEvent.Stored>();
        for (var change : changes) {
            for (int i = 0; i < change.hashes().size(); i++) {
                stored.add(stored(change, i, scattered));
            }
        }
        return stored;
    }

    /** @param scattered whether its parent is of no interest: it is not expected to be there */
    private static BlockEvent.Stored stored(Change change, int index, boolean scattered) {
        var parent = scattered ? null : Hashes.parent(change, index);
        return new BlockEvent.Stored(hash(change, index), parent, tier(change.tier()));
    }

    private static BlockHash hash(Change change, int index) {
        return Hashes.get(change.hashes(), index);
    }

    private static Tier tier(PrefixCacheProtocol.Tier tier) {
        return switch (tier) {
            case DEVICE -> Tier.DEVICE;
            case HOST -> Tier.HOST;
            case DISK -> Tier.DISK;
        };
    }
}
