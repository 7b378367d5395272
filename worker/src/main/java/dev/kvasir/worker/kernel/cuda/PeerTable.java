package dev.kvasir.worker.kernel.cuda;

import java.util.ArrayList;
import java.util.List;

/**
 * Where each rank has what others read: pieces of memory that all ranks allocate in the same order, so that a piece has one
 * number. Ranks register while they are loaded, each on its thread, and look up afterwards.
 */
final class PeerTable {
    private final List<List<Long>> addresses = new ArrayList<>();

    PeerTable(int ranks) {
        for (int rank = 0; rank < ranks; rank++) {
            addresses.add(new ArrayList<>());
        }
    }

    int ranks() {
        return addresses.size();
    }

    /** Number of the piece. */
    synchronized int register(int rank, long address) {
        addresses.get(rank).add(address);
        return addresses.get(rank).size() - 1;
    }

    /** Where the ranks have a piece, in their order. */
    synchronized long[] of(int piece) {
        var all = new long[addresses.size()];
        for (int rank = 0; rank < all.length; rank++) {
            if (piece >= addresses.get(rank).size()) {
                throw new IllegalStateException("rank %d has not allocated piece %d".formatted(rank, piece));
            }
            all[rank] = addresses.get(rank).get(piece);
        }
        return all;
    }
}
