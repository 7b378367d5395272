package dev.kvasir.kvstore.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Native memory in slots of one size, taken from the system piece by piece up to a bound, or as far as the system gives it.
 * When the bound falls, whole pieces are retired: their slots are given to nobody any more, and the system has a piece's
 * memory back when its last slot was given back. Not thread-safe.
 */
final class Slab implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Slab.class);
    private static final long PIECE_BYTES_MAX = 16L << 20;
    private static final int PIECES_MIN = 8;
    private static final int SLOTS_MAX = 1 << 28;
    private static final long ALIGNMENT = 64;

    /** Memory that comes and goes as a whole. */
    private static final class Piece {
        private final Arena arena = Arena.ofShared();
        private final int slots;
        private final MemorySegment bytes;
        private int taken;
        private boolean retired;

        Piece(int slots, long stride) {
            this.slots = slots;
            try {
                this.bytes = UntouchedMemory.allocate(arena, slots * stride, ALIGNMENT);
            } catch (OutOfMemoryError e) {
                arena.close();
                throw e;
            }
        }
    }

    private final long slotBytes;
    private final long slotStride;
    private final int slotsPerPiece;

    /** Null where a piece was; its number is free again. */
    private final List<@Nullable Piece> pieces = new ArrayList<>();

    private final ArrayList<Integer> free = new ArrayList<>();
    private int slotsMax;
    private int slots;
    private boolean refused;

    Slab(long bytesMax, long slotBytes) {
        this.slotBytes = slotBytes;
        this.slotStride = (slotBytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        this.slotsMax = slots(bytesMax);
        this.slotsPerPiece = Math.clamp(Math.min(PIECE_BYTES_MAX / slotStride, slotsMax / PIECES_MIN), 1, SLOTS_MAX);
    }

    private int slots(long bytes) {
        return (int) Math.min(bytes / slotStride, SLOTS_MAX);
    }

    int slotsMax() {
        return slotsMax;
    }

    /** Changes the bound; where it falls, slots in use may be retired. */
    void limit(long bytesMax) {
        slotsMax = slots(bytesMax);
        refused = false;
        for (int i = pieces.size() - 1; i >= 0 && slots > slotsMax; i--) {
            var piece = pieces.get(i);
            if (piece != null && !piece.retired) {
                retire(i, piece);
            }
        }
    }

    private void retire(int number, Piece piece) {
        piece.retired = true;
        slots -= piece.slots;
        free.removeIf(slot -> slot / slotsPerPiece == number);
        closeIfQuiet(number, piece);
    }

    private void closeIfQuiet(int number, Piece piece) {
        if (piece.retired && piece.taken == 0) {
            piece.arena.close();
            pieces.set(number, null);
        }
    }

    /** Whether the slot is in use still, but should not be. */
    boolean isRetired(int slot) {
        return piece(slot).retired;
    }

    /** Whether any slot is so. */
    boolean hasRetired() {
        return pieces.stream().anyMatch(piece -> piece != null && piece.retired);
    }

    /** Memory that the system has not got back. */
    long bytesHeld() {
        long held = 0;
        for (var piece : pieces) {
            held += piece == null ? 0 : piece.slots * slotStride;
        }
        return held;
    }

    /** A slot that nobody has, or -1. */
    int take() {
        if (free.isEmpty() && slots < slotsMax && !refused) {
            addPiece();
        }
        if (free.isEmpty()) {
            return -1;
        }
        int slot = free.removeLast();
        piece(slot).taken++;
        return slot;
    }

    void giveBack(int slot) {
        var piece = piece(slot);
        piece.taken--;
        if (piece.retired) {
            closeIfQuiet(slot / slotsPerPiece, piece);
        } else {
            free.add(slot);
        }
    }

    private void addPiece() {
        int count = Math.min(slotsPerPiece, slotsMax - slots);
        int number = pieces.indexOf(null);
        if (number < 0) {
            number = pieces.size();
            pieces.add(null);
        }
        try {
            pieces.set(number, new Piece(count, slotStride));
        } catch (OutOfMemoryError e) { // Copies are worth having, but nobody has to end for want of them.
            refused = true;
            LOG.error("The system gives no more than {} MiB for copies of KV blocks", bytesHeld() >> 20, e);
            return;
        }
        int first = number * slotsPerPiece;
        for (int slot = first + count - 1; slot >= first; slot--) {
            free.add(slot);
        }
        slots += count;
    }

    private Piece piece(int slot) {
        var piece = pieces.get(slot / slotsPerPiece);
        if (piece == null) {
            throw new IllegalStateException("slot " + slot + " is in nobody's hands");
        }
        return piece;
    }

    MemorySegment segment(int slot) {
        return piece(slot).bytes.asSlice(slot % slotsPerPiece * slotStride, slotBytes);
    }

    @Override
    public void close() {
        for (var piece : pieces) {
            if (piece != null) {
                piece.arena.close();
            }
        }
        pieces.clear();
    }
}
