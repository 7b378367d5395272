package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which blocks a tier of slots holds, and which goes next. Recency is weighed by the cost of recomputing (GreedyDual, Young
 * 1994): an entry's credit is the tier's clock when it was last used plus its cost; the least credit goes, and becomes the
 * clock. A block whose follower is held never goes before it, since without it the follower is of no use. Pinned ones stay.
 * Not thread-safe.
 */
final class TierIndex {
    /** Attention makes a block at this depth cost twice a first one. */
    private static final double DEPTH_OF_DOUBLE_COST = 256;

    private static final Comparator<Entry> CREDIT =
            Comparator.comparingDouble((Entry e) -> e.credit).thenComparingLong(e -> e.order);

    /** A block in a slot. */
    static final class Entry {
        private final StoredBlock block;
        private int slot;
        private double credit;
        private long order;
        private int followers;
        private int pins;

        Entry(StoredBlock block, int slot) {
            this.block = block;
            this.slot = slot;
        }

        StoredBlock block() {
            return block;
        }

        int slot() {
            return slot;
        }

        boolean isPinned() {
            return pins > 0;
        }

        /** Its bytes lie elsewhere from now on; nobody has it pinned. */
        void moveTo(int other) {
            slot = other;
        }
    }

    private final Map<BlockHash, Entry> entries = new HashMap<>();
    private final Map<BlockHash, Integer> orphans = new HashMap<>();
    private final TreeSet<Entry> candidates = new TreeSet<>(CREDIT);
    private double clock;
    private long orders;

    int size() {
        return entries.size();
    }

    Collection<Entry> entries() {
        return entries.values();
    }

    @Nullable
    Entry get(BlockHash hash) {
        return entries.get(hash);
    }

    /** Whether a block that follows this one is held. */
    boolean hasFollower(BlockHash hash) {
        var entry = entries.get(hash);
        return entry == null ? orphans.containsKey(hash) : entry.followers > 0;
    }

    /** A new entry; the hash is not held yet. */
    Entry add(StoredBlock block, int slot) {
        var entry = new Entry(block, slot);
        entries.put(block.hash(), entry);
        var waiting = orphans.remove(block.hash());
        entry.followers = waiting == null ? 0 : waiting;
        follow(block.parent(), 1);
        credit(entry);
        return entry;
    }

    /** The entry was used. */
    void touch(Entry entry) {
        candidates.remove(entry);
        credit(entry);
    }

    void pin(Entry entry) {
        entry.pins++;
        candidates.remove(entry);
    }

    void unpin(Entry entry) {
        entry.pins--;
        offer(entry);
    }

    /** Takes out the entry that may go first; null where none may. */
    @Nullable
    Entry evict() {
        var entry = candidates.pollFirst();
        if (entry != null) {
            clock = entry.credit;
            remove(entry);
        }
        return entry;
    }

    private void remove(Entry entry) {
        candidates.remove(entry);
        entries.remove(entry.block.hash());
        if (entry.followers > 0) {
            orphans.put(entry.block.hash(), entry.followers);
        }
        follow(entry.block.parent(), -1);
    }

    /** Makes an entry that is pinned unknown; its slot is free when the last pin goes. */
    void unlist(Entry entry) {
        remove(entry);
    }

    /** A pin of an unlisted entry goes; true if it was the last. */
    boolean unpinUnlisted(Entry entry) {
        return --entry.pins == 0;
    }

    private void credit(Entry entry) {
        entry.credit = clock + 1 + entry.block.depth() / DEPTH_OF_DOUBLE_COST;
        entry.order = orders++;
        offer(entry);
    }

    private void offer(Entry entry) {
        if (entry.pins == 0 && entry.followers == 0) {
            candidates.add(entry);
        }
    }

    private void follow(@Nullable BlockHash parent, int change) {
        if (parent == null) {
            return;
        }
        var entry = entries.get(parent);
        if (entry == null) {
            orphans.merge(parent, change, TierIndex::sum);
            return;
        }
        candidates.remove(entry);
        entry.followers += change;
        offer(entry);
    }

    /** Null, which takes the entry away, for none. */
    private static @Nullable Integer sum(Integer before, Integer change) {
        int sum = before + change;
        return sum == 0 ? null : sum;
    }
}
