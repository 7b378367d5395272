package dev.kvasir.model.tokenizer;

import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/** Ids of parts of texts, as many as there is memory for; those not asked for longest go first. For any number of threads. */
final class SegmentCache {
    /** What an entry takes beside its characters and ids, about. */
    private static final int ENTRY_BYTES = 200;
    /** No single text takes more than this part of the memory. */
    private static final int LARGEST_SHARE = 8;

    private final long bytesMax;
    private final LinkedHashMap<Key, int[]> known = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;

    SegmentCache(long bytesMax) {
        this.bytesMax = bytesMax;
    }

    /** @param scope whose text it is */
    record Key(String scope, String text) {}

    /** Not to be changed. */
    synchronized int @Nullable [] find(Key key) {
        return known.get(key);
    }

    synchronized void keep(Key key, int[] ids) {
        long size = size(key, ids);
        if (size > bytesMax / LARGEST_SHARE || known.putIfAbsent(key, ids) != null) {
            return;
        }
        bytes += size;
        var oldest = known.entrySet().iterator();
        while (bytes > bytesMax) {
            var entry = oldest.next();
            bytes -= size(entry.getKey(), entry.getValue());
            oldest.remove();
        }
    }

    /** As if each character took two bytes, which it does where one of them is not Latin. */
    private static long size(Key key, int[] ids) {
        return ENTRY_BYTES
                + (long) Character.BYTES * (key.scope.length() + key.text.length())
                + (long) Integer.BYTES * ids.length;
    }

    synchronized long bytes() {
        return bytes;
    }
}
