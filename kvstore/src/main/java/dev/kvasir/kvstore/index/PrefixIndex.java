package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.BlockEvent.Cleared;
import dev.kvasir.kvstore.index.BlockEvent.Evicted;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which holder has which blocks in which tiers. Answers for a chain of hashes how long a prefix of it each holder has.
 *
 * <p>Look-up: a hash names all blocks before it too, so where holders give up a chain's blocks last one first, the holders
 * of block d + 1 are among those of block d, and equal counts mean equal sets. So a few bisections over the chain's length
 * find every depth at which some holder's prefix ends, in about log2(length) probes for each such depth. Whether holders
 * keep to that is counted, not assumed: the index knows of each holder how many of its blocks miss their parent
 * ({@link #gaps}), and as long as there is one, look-ups walk the chain block by block. That a block lies in
 * {@link Tier#DEVICE} only if its parent does is taken from the worker's block cache, which guarantees it; elsewhere
 * {@link Match#deviceBlocks} would be an estimate.
 *
 * <p>Memory: 36 to 44 bytes per block and 16 per holder of it, in primitive arrays that grow by half up to
 * {@code blocksMax} blocks and {@code postingsMax} block-holder pairs. A block that is missing although a holder has
 * blocks that follow it counts as one.
 *
 * <p>Not thread-safe.
 */
public final class PrefixIndex {
    /** Slot of a holder that is not in the index. */
    public static final int UNKNOWN = -1;

    /** So many holders an index can tell apart. */
    public static final int HOLDERS_MAX = 1 << 15;

    private static final int EVERY_BLOCK = Integer.MAX_VALUE;

    private final EntryTable entries;
    private final PostingPool postings;
    private final Map<Holder, Integer> slots = new HashMap<>();
    private @Nullable Holder[] holders = new Holder[16];
    private int[] blocks = new int[16];
    private int[] gaps = new int[16];
    private int slotEnd;
    private int gapCount;

    public PrefixIndex(int blocksMax, int postingsMax) {
        if (blocksMax < 1 || postingsMax < 1) {
            throw new IllegalArgumentException("an index of at most %d blocks and %d block-holder pairs holds nothing"
                    .formatted(blocksMax, postingsMax));
        }
        this.entries = new EntryTable(blocksMax);
        this.postings = new PostingPool(postingsMax);
    }

    /** Makes a holder known, with no blocks yet, and gives its slot. */
    public int add(Holder holder) {
        var known = slots.get(holder);
        if (known != null) {
            return known;
        }
        int slot = 0;
        while (slot < slotEnd && holders[slot] != null) {
            slot++;
        }
        if (slot == HOLDERS_MAX) {
            throw new IllegalStateException("the index has " + HOLDERS_MAX + " holders already");
        }
        if (slot == holders.length) {
            holders = Arrays.copyOf(holders, slot * 2);
            blocks = Arrays.copyOf(blocks, slot * 2);
            gaps = Arrays.copyOf(gaps, slot * 2);
        }
        slotEnd = Math.max(slotEnd, slot + 1);
        holders[slot] = holder;
        slots.put(holder, slot);
        return slot;
    }

    /** Forgets a holder and all its blocks. */
    public void remove(Holder holder) {
        var slot = slots.remove(holder);
        if (slot != null) {
            clear(slot);
            holders[slot] = null;
        }
    }

    /** The holder's place in a {@link Match}, or {@link #UNKNOWN}. */
    public int slot(Holder holder) {
        return slots.getOrDefault(holder, UNKNOWN);
    }

    /** False where there is no room for the block; nothing has changed then. */
    public boolean apply(int slot, BlockEvent event) {
        return switch (event) {
            case Stored(var hash, var parent, var tier) -> store(slot, hash, parent, tier);
            case Evicted(var hash, var tier) -> {
                evict(slot, hash, tier);
                yield true;
            }
            case Cleared() -> {
                clear(slot);
                yield true;
            }
        };
    }

    /** False where there is no room for the block; nothing has changed then. */
    public boolean store(int slot, BlockHash hash, @Nullable BlockHash parent, Tier tier) {
        if (entries.room() < 2 || postings.room() < 2) {
            return storeWithLittleRoom(slot, hash, tier);
        }
        int entry = entryOf(hash);
        int posting = postingOf(entry, slot);
        if (postings.tiers(posting) == 0) {
            blocks[slot]++;
            if (entries.holders(entry, false) == 0 && parent != null) {
                entries.setParent(entry, entryOf(parent));
            }
            entries.addHolders(entry, false, 1);
            addGaps(slot, -postings.children(posting));
            // Before the parent's count, since a block may wrongly be named as its own parent.
            postings.setTiers(posting, tier.bit());
            follow(entries.parent(entry), slot);
            countDevice(entry, 0, tier.bit());
        } else {
            addTier(entry, posting, tier);
        }
        return true;
    }

    /** Only what needs no new entry can still be noted: one more tier of a block. */
    private boolean storeWithLittleRoom(int slot, BlockHash hash, Tier tier) {
        int entry = entries.find(hash.high(), hash.low());
        int posting = entry == EntryTable.NONE ? PostingPool.NONE : findPosting(entry, slot);
        if (posting == PostingPool.NONE || postings.tiers(posting) == 0) {
            return false;
        }
        addTier(entry, posting, tier);
        return true;
    }

    private void addTier(int entry, int posting, Tier tier) {
        int before = postings.tiers(posting);
        postings.setTiers(posting, before | tier.bit());
        countDevice(entry, before, before | tier.bit());
    }

    /** Nothing where the holder does not have the block in that tier. */
    public void evict(int slot, BlockHash hash, Tier tier) {
        int entry = entries.find(hash.high(), hash.low());
        int posting = entry == EntryTable.NONE ? PostingPool.NONE : findPosting(entry, slot);
        if (posting == PostingPool.NONE || (postings.tiers(posting) & tier.bit()) == 0) {
            return;
        }
        int before = postings.tiers(posting);
        postings.setTiers(posting, before & ~tier.bit());
        countDevice(entry, before, before & ~tier.bit());
        if (postings.tiers(posting) == 0) {
            lose(entry, posting, slot);
        }
    }

    /** The block has left the holder's last tier. */
    private void lose(int entry, int posting, int slot) {
        blocks[slot]--;
        entries.addHolders(entry, false, -1);
        addGaps(slot, postings.children(posting));
        int parent = entries.parent(entry);
        if (entries.holders(entry, false) == 0) {
            entries.setParent(entry, EntryTable.NONE);
        }
        unfollow(parent, slot);
        // As its own parent it is gone already.
        if (parent != entry) {
            dropIfUnused(entry, posting);
        }
    }

    /** A block that the holder has got follows {@code parent}. */
    private void follow(int parent, int slot) {
        if (parent != EntryTable.NONE) {
            int posting = postingOf(parent, slot);
            postings.addChildren(posting, 1);
            addGaps(slot, postings.tiers(posting) == 0 ? 1 : 0);
        }
    }

    private void unfollow(int parent, int slot) {
        if (parent != EntryTable.NONE) {
            int posting = findPosting(parent, slot);
            postings.addChildren(posting, -1);
            addGaps(slot, postings.tiers(posting) == 0 ? -1 : 0);
            dropIfUnused(parent, posting);
        }
    }

    private void dropIfUnused(int entry, int posting) {
        if (postings.tiers(posting) == 0 && postings.children(posting) == 0) {
            unlink(entry, posting);
            if (entries.posting(entry) == PostingPool.NONE) {
                entries.remove(entry);
            }
        }
    }

    /** Forgets all blocks of a holder, which stays known. */
    public void clear(int slot) {
        for (int posting = 0; posting < postings.end(); posting++) {
            if (postings.isHeldBy(posting, slot)) {
                int entry = postings.entry(posting);
                int tiers = postings.tiers(posting);
                countDevice(entry, tiers, 0);
                entries.addHolders(entry, false, tiers == 0 ? 0 : -1);
                if (entries.holders(entry, false) == 0) {
                    entries.setParent(entry, EntryTable.NONE);
                }
                unlink(entry, posting);
                if (entries.posting(entry) == PostingPool.NONE) {
                    entries.remove(entry);
                }
            }
        }
        gapCount -= gaps[slot];
        gaps[slot] = 0;
        blocks[slot] = 0;
    }

    /** How long a prefix of the chain's first {@code blockCount} blocks each holder has. */
    public void match(HashChain chain, int blockCount, Match match) {
        match.reset(slotEnd);
        int length = Math.min(blockCount, chain.size());
        if (length == 0 || find(chain, 1) == EntryTable.NONE) {
            return;
        }
        if (gapCount > 0) {
            walk(chain, length, match.lengths(false), false);
            walk(chain, length, match.lengths(true), true);
        } else {
            bisect(chain, 0, EntryTable.NONE, length + 1, 0, match.lengths(false), false);
            bisect(chain, 0, EntryTable.NONE, length + 1, 0, match.lengths(true), true);
        }
    }

    /**
     * Notes the prefixes that end in [low, high). {@code lowEntry} is of the block at depth low, counted from 1; so many as
     * {@code highCount} holders have that at depth high, and their prefixes are noted already.
     */
    private void bisect(
            HashChain chain, int low, int lowEntry, int high, int highCount, int[] lengths, boolean device) {
        int lowCount = low == 0 ? EVERY_BLOCK : count(lowEntry, device);
        if (lowCount == highCount) {
            return;
        }
        if (high - low == 1) {
            note(lowEntry, low, lengths, device);
            return;
        }
        int middle = (low + high) >>> 1;
        int entry = find(chain, middle);
        bisect(chain, middle, entry, high, highCount, lengths, device);
        bisect(chain, low, lowEntry, middle, count(entry, device), lengths, device);
    }

    private void note(int entry, int depth, int[] lengths, boolean device) {
        int first = entry == EntryTable.NONE ? PostingPool.NONE : entries.posting(entry);
        for (int posting = first; posting != PostingPool.NONE; posting = postings.next(posting)) {
            int holder = postings.holder(posting);
            if (has(posting, device) && lengths[holder] == 0) {
                lengths[holder] = depth;
            }
        }
    }

    private void walk(HashChain chain, int length, int[] lengths, boolean device) {
        boolean grows = true;
        for (int depth = 1; depth <= length && grows; depth++) {
            grows = false;
            int entry = find(chain, depth);
            int first = entry == EntryTable.NONE ? PostingPool.NONE : entries.posting(entry);
            for (int posting = first; posting != PostingPool.NONE; posting = postings.next(posting)) {
                int holder = postings.holder(posting);
                if (has(posting, device) && lengths[holder] == depth - 1) {
                    lengths[holder] = depth;
                    grows = true;
                }
            }
        }
    }

    private boolean has(int posting, boolean device) {
        int tiers = postings.tiers(posting);
        return device ? (tiers & Tier.DEVICE.bit()) != 0 : tiers != 0;
    }

    private int count(int entry, boolean device) {
        return entry == EntryTable.NONE ? 0 : entries.holders(entry, device);
    }

    private int find(HashChain chain, int depth) {
        var hash = chain.get(depth - 1);
        return entries.find(hash.high(), hash.low());
    }

    /** Blocks known, over all holders. */
    public int size() {
        return entries.size();
    }

    /** Share of its memory that is free yet, between 0 and 1. */
    public double room() {
        return Math.min(entries.roomShare(), postings.roomShare());
    }

    /** Whether a holder has a block in a tier. */
    public boolean has(int slot, BlockHash hash, Tier tier) {
        int entry = entries.find(hash.high(), hash.low());
        int posting = entry == EntryTable.NONE ? PostingPool.NONE : findPosting(entry, slot);
        return posting != PostingPool.NONE && (postings.tiers(posting) & tier.bit()) != 0;
    }

    /** Whether any holder has a block, in whatever tier. */
    public boolean isHeld(BlockHash hash) {
        int entry = entries.find(hash.high(), hash.low());
        return entry != EntryTable.NONE && entries.holders(entry, false) > 0;
    }

    /** Whether a holder has a block, in whatever tier. */
    public boolean has(int slot, BlockHash hash) {
        int entry = entries.find(hash.high(), hash.low());
        int posting = entry == EntryTable.NONE ? PostingPool.NONE : findPosting(entry, slot);
        return posting != PostingPool.NONE && postings.tiers(posting) != 0;
    }

    /** Some holder that has a block; {@link #UNKNOWN} where there is none. */
    public int anyHolder(BlockHash hash) {
        int entry = entries.find(hash.high(), hash.low());
        int posting = entry == EntryTable.NONE ? PostingPool.NONE : entries.posting(entry);
        while (posting != PostingPool.NONE && postings.tiers(posting) == 0) {
            posting = postings.next(posting);
        }
        return posting == PostingPool.NONE ? UNKNOWN : postings.holder(posting);
    }

    /** Blocks of one holder. */
    public int blocks(int slot) {
        return blocks[slot];
    }

    /** Blocks of one holder that miss their parent there. */
    public int gaps(int slot) {
        return gaps[slot];
    }

    /** Memory of the arrays that hold blocks. */
    public long bytes() {
        return entries.bytes() + postings.bytes();
    }

    private void addGaps(int slot, int change) {
        gaps[slot] += change;
        gapCount += change;
    }

    private void countDevice(int entry, int before, int after) {
        entries.addHolders(entry, true, (after & Tier.DEVICE.bit()) - (before & Tier.DEVICE.bit()));
    }

    private int entryOf(BlockHash hash) {
        int entry = entries.find(hash.high(), hash.low());
        return entry == EntryTable.NONE ? entries.add(hash.high(), hash.low()) : entry;
    }

    private int postingOf(int entry, int slot) {
        int posting = findPosting(entry, slot);
        if (posting == PostingPool.NONE) {
            posting = postings.add(slot, entry, entries.posting(entry));
            entries.setPosting(entry, posting);
        }
        return posting;
    }

    private int findPosting(int entry, int slot) {
        int posting = entries.posting(entry);
        while (posting != PostingPool.NONE && postings.holder(posting) != slot) {
            posting = postings.next(posting);
        }
        return posting;
    }

    private void unlink(int entry, int posting) {
        int first = entries.posting(entry);
        if (first == posting) {
            entries.setPosting(entry, postings.next(posting));
        } else {
            int before = first;
            while (postings.next(before) != posting) {
                before = postings.next(before);
            }
            postings.setNext(before, postings.next(posting));
        }
        postings.remove(posting);
    }
}
