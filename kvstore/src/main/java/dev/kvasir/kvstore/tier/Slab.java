package dev.kvasir.kvstore.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Native memory in slots of one size, taken from the system piece by piece up to a bound,
 * or as far as the system gives it. Not thread-safe. */
final class Slab implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Slab.class);
    private static final long PIECE_BYTES = 16L << 20;
    private static final long ALIGNMENT = 64;

    private final long slotBytes;
    private final long slotStride;
    private final int slotsMax;
    private final int slotsPerPiece;
    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> pieces = new ArrayList<>();
    private final ArrayList<Integer> free = new ArrayList<>();
    private int slots;
    private boolean refused;

    Slab(long bytesMax, long slotBytes) {
        this.slotBytes = slotBytes;
        this.slotStride = (slotBytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        this.slotsMax = (int) Math.min(bytesMax / slotStride, 1 << 28);
        this.slotsPerPiece = (int) Math.max(1, PIECE_BYTES / slotStride);
    }

    int slotsMax() {
        return slotsMax;
    }

    /** A slot that nobody has, or -1. */
    int take() {
        if (free.isEmpty() && slots < slotsMax && !refused) {
            addPiece();
        }
        return free.isEmpty() ? -1 : free.removeLast();
    }

    void giveBack(int slot) {
        free.add(slot);
    }

    private void addPiece() {
        int count = Math.min(slotsPerPiece, slotsMax - slots);
        try {
            pieces.add(arena.allocate(count * slotStride, ALIGNMENT));
        } catch (OutOfMemoryError e) { // Copies are worth having, but nobody has to end for want of them.
            refused = true;
            LOG.error("The system gives no more than {} MiB for copies of KV blocks", (slots * slotStride) >> 20, e);
            return;
        }
        for (int slot = slots + count - 1; slot >= slots; slot--) {
            free.add(slot);
        }
        slots += count;
    }

    MemorySegment segment(int slot) {
        return pieces.get(slot / slotsPerPiece).asSlice(slot % slotsPerPiece * slotStride, slotBytes);
    }

    @Override
    public void close() {
        arena.close();
    }
}
