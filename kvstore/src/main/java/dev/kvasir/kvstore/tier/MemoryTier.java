package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Blocks in host memory, bounded, all of one format. Thread-safe.
 *
 * <pre>
 * free -> reserved (one writer, nobody reads) -> held (readers pin it, nobody writes) -> free
 *         reserved -> free, once its writer says that it is done with it
 * </pre>
 *
 * A slot is given to another block only when no writer and no reader has it, so that late writes of a transfer that was
 * given up hit nothing.
 */
public final class MemoryTier implements AutoCloseable {
    /** Told of blocks that came and went, under the tier's lock: must be short. */
    public interface Listener {
        Listener NONE = new Listener() {
            @Override
            public void stored(StoredBlock block) {}

            @Override
            public void evicted(StoredBlock block, MemorySegment bytes) {}

            @Override
            public void damaged(StoredBlock block) {}
        };

        void stored(StoredBlock block);

        /** Gives the content too, for as long as the call lasts. */
        void evicted(StoredBlock block, MemorySegment bytes);

        /** Its bytes no longer fit their checksum: it is forgotten, and there is nothing to keep. */
        void damaged(StoredBlock block);
    }

    private final BlockFormat format;
    private final Slab slab;
    private final TierIndex index = new TierIndex();
    private volatile Listener listener = Listener.NONE;
    private int reserved;
    private int pinned;
    private boolean closed;
    private boolean freed;
    private long evictions;
    private long damaged;

    /** An empty tier of at most {@code bytesMax}, in whole blocks. */
    public MemoryTier(BlockFormat format, long bytesMax) {
        this.format = format;
        this.slab = new Slab(bytesMax, format.blockBytes());
    }

    public void listen(Listener next) {
        listener = next;
    }

    public BlockFormat format() {
        return format;
    }

    /**
     * Changes how much memory the tier may have. What has no room any more goes, that which may go first before others. A slot
     * that a reader or writer has goes with a later call; until then its memory is still held. Of one thread at a time; the lock
     * is held for one block at a time.
     */
    public void limit(long bytesMax) {
        boolean more = setLimit(bytesMax);
        while (more) { // Others get at their blocks in between.
            more = evictOneOverLimit();
        }
        inRetiredMemory().forEach(this::moveOut);
    }

    private synchronized boolean setLimit(long bytesMax) {
        if (!closed) {
            slab.limit(bytesMax);
        }
        return !closed;
    }

    private synchronized boolean evictOneOverLimit() {
        return !closed && index.size() + reserved > slab.slotsMax() && evictOne();
    }

    private synchronized List<TierIndex.Entry> inRetiredMemory() {
        return closed || !slab.hasRetired()
                ? List.of()
                : index.entries().stream()
                        .filter(entry -> slab.isRetired(entry.slot()))
                        .toList();
    }

    private synchronized void moveOut(TierIndex.Entry entry) {
        boolean here = !closed && index.get(entry.block().hash()) == entry;
        if (here && !entry.isPinned() && slab.isRetired(entry.slot())) {
            move(entry);
        }
    }

    private boolean evictOne() {
        var entry = index.evict();
        if (entry != null) {
            evicted(entry);
            slab.giveBack(entry.slot());
        }
        return entry != null;
    }

    private void evicted(TierIndex.Entry entry) {
        evictions++;
        listener.evicted(entry.block(), slab.segment(entry.slot()).asReadOnly());
    }

    /** Out of memory that is to be given back. */
    private void move(TierIndex.Entry entry) {
        int from = entry.slot();
        int to = slab.take();
        if (to >= 0) {
            slab.segment(to).copyFrom(slab.segment(from));
            entry.moveTo(to);
            slab.giveBack(from);
        }
    }

    /** Memory that it has now. */
    public synchronized long bytesHeld() {
        return slab.bytesHeld();
    }

    /** Blocks that fit. */
    public synchronized int capacity() {
        return slab.slotsMax();
    }

    /** A slot that its one writer fills. Exactly one of {@link #publish} and {@link #abandon} is to be called, once. */
    public final class Reservation {
        private final int slot;
        private final MemorySegment bytes;
        private boolean ended;

        private Reservation(int slot) {
            this.slot = slot;
            this.bytes = slab.segment(slot);
        }

        public MemorySegment bytes() {
            return bytes;
        }

        /** The block is complete and verified: others may read it. Where it is held already, that copy stays. */
        public void publish(StoredBlock block) {
            synchronized (MemoryTier.this) {
                end();
                if (closed || index.get(block.hash()) != null) {
                    slab.giveBack(slot);
                } else {
                    index.add(block, slot);
                    listener.stored(block);
                }
                freeIfClosed();
            }
        }

        /** The block is not wanted; nobody writes into the slot any more. */
        public void abandon() {
            synchronized (MemoryTier.this) {
                end();
                slab.giveBack(slot);
                freeIfClosed();
            }
        }

        private void end() {
            if (ended) {
                throw new IllegalStateException("slot " + slot + " was published or abandoned before");
            }
            ended = true;
            reserved--;
        }
    }

    /** A block that stays while it is read. */
    public final class Pin implements AutoCloseable {
        private final TierIndex.Entry entry;
        private final MemorySegment bytes;
        private boolean ended;

        private Pin(TierIndex.Entry entry) {
            this.entry = entry;
            this.bytes = slab.segment(entry.slot()).asReadOnly();
        }

        public StoredBlock block() {
            return entry.block();
        }

        public MemorySegment bytes() {
            return bytes;
        }

        /** Compares the bytes with their checksum. A damaged block is not found again. */
        public boolean verify() {
            if (Checksum.of(bytes) == block().checksum()) {
                return true;
            }
            synchronized (MemoryTier.this) {
                damaged++;
                if (index.get(block().hash()) == entry) {
                    index.unlist(entry);
                    listener.damaged(block());
                }
            }
            return false;
        }

        @Override
        public void close() {
            synchronized (MemoryTier.this) {
                if (!ended) {
                    ended = true;
                    pinned--;
                    if (index.get(block().hash()) == entry) {
                        index.unpin(entry);
                    } else if (index.unpinUnlisted(entry)) {
                        slab.giveBack(entry.slot());
                    }
                    freeIfClosed();
                }
            }
        }
    }

    public synchronized boolean contains(BlockHash hash) {
        return index.get(hash) != null;
    }

    /** What is known of a block; null where it is not held. */
    public synchronized @Nullable StoredBlock block(BlockHash hash) {
        var entry = index.get(hash);
        return entry == null ? null : entry.block();
    }

    /** Whether a block that follows this one is held. */
    public synchronized boolean hasFollower(BlockHash hash) {
        return index.hasFollower(hash);
    }

    /** Notes that a block is wanted still. False where it is not held. */
    public synchronized boolean touch(BlockHash hash) {
        var entry = index.get(hash);
        if (entry == null) {
            return false;
        }
        index.touch(entry);
        return true;
    }

    /** Room for a block, of the one that may go first where the tier is full; null where all are in use. */
    public synchronized @Nullable Reservation reserve() {
        if (closed) {
            return null;
        }
        int slot = slab.take();
        while (slot < 0) {
            if (!evictOne()) {
                return null;
            }
            slot = slab.take(); // Nothing, where what went lay in memory that is given back.
        }
        reserved++;
        return new Reservation(slot);
    }

    /** The block, for reading; null where it is not held. */
    public synchronized @Nullable Pin pin(BlockHash hash) {
        var entry = closed ? null : index.get(hash);
        if (entry == null) {
            return null;
        }
        index.touch(entry);
        index.pin(entry);
        pinned++;
        return new Pin(entry);
    }

    /** Calls {@code each} with every block held; under the lock. */
    public synchronized void forEach(Consumer<StoredBlock> each) {
        index.entries().forEach(entry -> each.accept(entry.block()));
    }

    /** All blocks held, those of a chain in order. */
    public synchronized List<StoredBlock> blocks() {
        var blocks = new ArrayList<StoredBlock>(index.size());
        index.entries().forEach(entry -> blocks.add(entry.block()));
        blocks.sort(java.util.Comparator.comparingInt(StoredBlock::depth));
        return blocks;
    }

    public synchronized int size() {
        return index.size();
    }

    /** Slots that a writer or a reader has. */
    public synchronized int inUse() {
        return reserved + pinned;
    }

    public synchronized long evictions() {
        return evictions;
    }

    /** Blocks whose bytes did not fit their checksum. */
    public synchronized long damaged() {
        return damaged;
    }

    /** Nothing is found or taken any more; the memory goes when its last writer and reader are done. */
    @Override
    public synchronized void close() {
        closed = true;
        freeIfClosed();
    }

    private void freeIfClosed() {
        if (closed && !freed && reserved == 0 && pinned == 0) {
            freed = true;
            slab.close();
        }
    }
}
