package dev.kvasir.router.placement;

/**
 * How long ago the blocks were used that a worker would evict next, as far as one router can tell from what it has sent
 * there: a cache of C blocks that evicts the least recently used holds about the last C that were used. Bounded: when there
 * are too many entries, neighbours become one.
 */
final class Turnover {
    private static final int ENTRIES_MAX = 256;

    private final long[] nanos = new long[ENTRIES_MAX];
    private final long[] endBlocks = new long[ENTRIES_MAX];
    private int count;
    private long total;

    /** A request was sent that uses so many blocks. */
    void used(long blocks, long nowNanos) {
        if (count == ENTRIES_MAX) {
            for (int i = 0; i < ENTRIES_MAX / 2; i++) {
                nanos[i] = nanos[2 * i + 1];
                endBlocks[i] = endBlocks[2 * i + 1];
            }
            count /= 2;
        }
        total += blocks;
        nanos[count] = nowNanos;
        endBlocks[count++] = total;
    }

    /** Forgets what a cache of so many blocks holds no longer. */
    void forget(long capacity) {
        int gone = firstAfter(total - capacity);
        if (gone > 0) {
            System.arraycopy(nanos, gone, nanos, 0, count - gone);
            System.arraycopy(endBlocks, gone, endBlocks, 0, count - gone);
            count -= gone;
        }
    }

    /**
     * What the blocks are worth that give way to {@code needed} new ones in a cache of {@code capacity}: each counts 1 if
     * it was used just now, and less by a factor of e for each {@code lifeNanos}.
     */
    double displaced(long needed, long capacity, long nowNanos, double lifeNanos) {
        long from = Math.max(0, total - capacity);
        long to = total - capacity + Math.min(needed, capacity);
        double worth = 0;
        long begin = from;
        for (int i = firstAfter(from); i < count && begin < to; i++) {
            long end = Math.min(endBlocks[i], to);
            worth += (end - begin) * Math.exp(-(nowNanos - nanos[i]) / lifeNanos);
            begin = end;
        }
        return worth;
    }

    private int firstAfter(long blocks) {
        int low = 0;
        int high = count;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (endBlocks[middle] > blocks) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }
}
