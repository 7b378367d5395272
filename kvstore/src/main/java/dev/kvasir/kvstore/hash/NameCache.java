package dev.kvasir.kvstore.hash;

import java.util.Arrays;
import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Names of blocks that came before, so that a long prompt that goes on from a known one is not hashed from its beginning.
 * Whole segments of a chain are kept once they have come twice: what comes once costs a look. Found are those alone whose
 * parent and ids, all of them, are those asked for, so that names are those that hashing gives. Bounded; the segments that
 * were not asked for the longest go first. Thread-safe.
 */
public final class NameCache {
    /** Blocks of a segment. */
    static final int SEGMENT = 64;

    /** Names of a chain's roots differ by tenant, where tenants are isolated: none sees what another has sent. */
    private record Key(BlockHash parent, long ids) {}

    private static final class Segment {
        final int[] ids;
        final BlockHash[] names;

        Segment(int[] ids, BlockHash[] names) {
            this.ids = ids;
            this.names = names;
        }

        long bytes() {
            return ids.length * (long) Integer.BYTES + names.length * NAME_BYTES + BYTES;
        }
    }

    private static final long NAME_BYTES = 36;
    /** Of a segment besides, and of its place in the table. */
    private static final long BYTES = 200;

    /** Half a MiB, room to tell a second time among some 60 million tokens that came once. */
    private static final int ONCE_SLOTS = 1 << 16;

    private static final long FACTOR = 0x9E3779B97F4A7C15L;

    private final long bytesMax;
    private final LinkedHashMap<Key, Segment> segments = new LinkedHashMap<>(16, 0.75f, true);
    /** Last names of segments that came once; of two with the same place the later one. Made for the first segment. */
    private long[] once = {};

    private long bytes;

    /** @param bytesMax memory that it may take, about */
    public NameCache(long bytesMax) {
        this.bytesMax = bytesMax;
    }

    /** Digest of ids, good enough for a hash table. Four sums, since each waits for its last multiplication. */
    static long digest(int[] tokens, int from, int to) {
        long a = 1;
        long b = 2;
        long c = 3;
        long d = 4;
        int i = from;
        for (; i + 4 <= to; i += 4) {
            a = (a ^ tokens[i]) * FACTOR;
            b = (b ^ tokens[i + 1]) * FACTOR;
            c = (c ^ tokens[i + 2]) * FACTOR;
            d = (d ^ tokens[i + 3]) * FACTOR;
        }
        for (; i < to; i++) {
            a = (a ^ tokens[i]) * FACTOR;
        }
        return ((a * 31 + b) * 31 + c) * 31 + d;
    }

    /**
     * The names of the segment {@code tokens[from, to)} after {@code parent}; null where it is not known.
     *
     * @param digest of its ids
     */
    BlockHash @Nullable [] find(BlockHash parent, long digest, int[] tokens, int from, int to) {
        Segment found;
        synchronized (segments) {
            found = segments.get(new Key(parent, digest));
        }
        return found != null && Arrays.equals(found.ids, 0, found.ids.length, tokens, from, to) ? found.names : null;
    }

    /** A segment was named; it is kept if that is the second time. */
    void named(BlockHash parent, long digest, int[] tokens, int from, int to, BlockHash[] hashes, int first) {
        long last = hashes[first + SEGMENT - 1].low();
        synchronized (segments) {
            if (once.length == 0) {
                once = new long[ONCE_SLOTS];
            }
            int place = (int) last & ONCE_SLOTS - 1;
            if (once[place] != last) {
                once[place] = last;
            } else {
                var ids = Arrays.copyOfRange(tokens, from, to);
                keep(new Key(parent, digest), new Segment(ids, Arrays.copyOfRange(hashes, first, first + SEGMENT)));
            }
        }
    }

    private void keep(Key key, Segment segment) {
        var before = segments.put(key, segment);
        bytes += segment.bytes() - (before == null ? 0 : before.bytes());
        for (var oldest = segments.values().iterator(); bytes > bytesMax; oldest.remove()) {
            bytes -= oldest.next().bytes();
        }
    }

    /** Memory that it takes, about. */
    long bytes() {
        synchronized (segments) {
            return bytes;
        }
    }
}
