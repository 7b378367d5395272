package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.index.BlockEvent.Cleared;
import dev.kvasir.kvstore.index.BlockEvent.Evicted;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A copy of what many holders hold, kept by their feeds: a snapshot each, then every event after it. Honest about itself, per
 * holder:
 *
 * <pre>
 * REBUILDING  holds nothing of the holder that counts: it has just joined, or an event was missed. A snapshot is due.
 * EXACT       all events so far are in it.
 * DEGRADED    the holder has more than fits. What the replica names, the holder has; there is more that it does not name.
 *
 * REBUILDING -> EXACT or DEGRADED by a whole snapshot        EXACT -> DEGRADED by one block too many
 * EXACT, DEGRADED -> REBUILDING by a gap in the feed         DEGRADED -> EXACT by Cleared
 * DEGRADED -> REBUILDING once a quarter of all room, and of the holder's own, is free again
 * </pre>
 *
 * The owner asks {@link #snapshotsDue} after every change and once in a while, and passes the wish on. An empty batch with
 * the number of the next event is a sign of life that shows a lost last event. Not thread-safe; time comes from outside.
 */
public final class IndexReplica {
    /** What is known of a holder's blocks. */
    public enum State {
        REBUILDING,
        EXACT,
        DEGRADED
    }

    /**
     * How much a replica may hold.
     *
     * @param blocksMax different blocks, over all holders
     * @param postingsMax block-holder pairs
     * @param blocksPerHolderMax of any one holder
     * @param askAgainNanos until an unanswered wish for a snapshot is repeated
     */
    public record Limits(int blocksMax, int postingsMax, int blocksPerHolderMax, long askAgainNanos) {}

    private static final double ROOM_TO_TRY_AGAIN = 0.25;

    private final Limits limits;
    private final PrefixIndex index;
    private final Map<Holder, Feed> feeds = new HashMap<>();

    private static final class Feed {
        private final Holder holder;
        private final int slot;
        private State state = State.REBUILDING;
        private long nextSequence;
        private boolean asked;
        private long progressNanos;
        private long snapshotSequence;
        private int nextPart;
        private boolean overflowed;

        Feed(Holder holder, int slot) {
            this.holder = holder;
            this.slot = slot;
        }
    }

    public IndexReplica(Limits limits) {
        this.limits = limits;
        this.index = new PrefixIndex(limits.blocksMax(), limits.postingsMax());
    }

    /** For look-ups; only the replica changes it. */
    public PrefixIndex index() {
        return index;
    }

    /** A holder is there, or is there again. Other incarnations at its address are dead. */
    public void join(Holder holder) {
        feeds.keySet().stream()
                .filter(other -> other.address().equals(holder.address()) && !other.equals(holder))
                .toList()
                .forEach(this::leave);
        rebuild(feeds.computeIfAbsent(holder, h -> new Feed(h, index.add(h))));
    }

    public void leave(Holder holder) {
        feeds.remove(holder);
        index.remove(holder);
    }

    /** Empty for holders that have not joined. */
    public @Nullable State state(Holder holder) {
        var feed = feeds.get(holder);
        return feed == null ? null : feed.state;
    }

    public int holders(State state) {
        return (int) feeds.values().stream().filter(f -> f.state == state).count();
    }

    /** Applies what is new in it. */
    public void apply(EventBatch batch) {
        var feed = feeds.get(batch.holder());
        if (feed == null || feed.state == State.REBUILDING) {
            return;
        }
        if (batch.firstSequence() > feed.nextSequence) {
            rebuild(feed);
            return;
        }
        for (; feed.nextSequence <= batch.lastSequence(); feed.nextSequence++) {
            apply(feed, batch.events().get((int) (feed.nextSequence - batch.firstSequence())));
        }
    }

    private void apply(Feed feed, BlockEvent event) {
        switch (event) {
            case Stored stored -> {
                if (feed.state == State.EXACT && !store(feed, stored)) {
                    feed.state = State.DEGRADED;
                }
            }
            case Evicted(var hash, var tier) -> index.evict(feed.slot, hash, tier);
            case Cleared() -> {
                index.clear(feed.slot);
                feed.state = State.EXACT;
            }
        }
    }

    private boolean store(Feed feed, Stored stored) {
        return index.blocks(feed.slot) < limits.blocksPerHolderMax()
                && index.store(feed.slot, stored.hash(), stored.parent(), stored.tier());
    }

    /** Applies it where one is due; the first part of another snapshot begins anew. */
    public void apply(SnapshotPart part, long nowNanos) {
        var feed = feeds.get(part.holder());
        if (feed == null || feed.state != State.REBUILDING) {
            return;
        }
        if (part.part() == 0) {
            restart(feed, part.sequence());
        } else if (part.part() != feed.nextPart || part.sequence() != feed.snapshotSequence) {
            rebuild(feed);
            return;
        }
        feed.progressNanos = nowNanos;
        feed.nextPart++;
        for (var stored : part.blocks()) {
            feed.overflowed |= feed.overflowed || !store(feed, stored);
        }
        if (feed.nextPart == part.parts()) {
            feed.nextSequence = part.sequence() + 1;
            feed.state = feed.overflowed ? State.DEGRADED : State.EXACT;
        }
    }

    /** Who must be asked for a snapshot now; they count as asked from then on. */
    public List<Holder> snapshotsDue(long nowNanos) {
        var due = new ArrayList<Holder>();
        for (var feed : feeds.values()) {
            if (feed.state == State.DEGRADED && hasRoomAgain(feed)) {
                rebuild(feed);
            }
            boolean waitedLong = nowNanos - feed.progressNanos >= limits.askAgainNanos();
            if (feed.state == State.REBUILDING && (!feed.asked || waitedLong)) {
                feed.asked = true;
                feed.progressNanos = nowNanos;
                due.add(feed.holder);
            }
        }
        return due;
    }

    private boolean hasRoomAgain(Feed feed) {
        return index.room() >= ROOM_TO_TRY_AGAIN
                && index.blocks(feed.slot) <= (1 - ROOM_TO_TRY_AGAIN) * limits.blocksPerHolderMax();
    }

    private void rebuild(Feed feed) {
        feed.state = State.REBUILDING;
        feed.asked = false;
        restart(feed, Long.MIN_VALUE);
        // Until its first part there is no snapshot to go on with.
        feed.nextPart = -1;
    }

    private void restart(Feed feed, long sequence) {
        index.clear(feed.slot);
        feed.snapshotSequence = sequence;
        feed.nextPart = 0;
        feed.overflowed = false;
    }
}
