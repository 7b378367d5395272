package dev.kvasir.worker;

import dev.kvasir.protocol.RequestId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which of the requests that no longer run are still kept: for a time, up to a number, up to so many bytes; the oldest go
 * first. A decision without clock.
 */
final class Retention {
    private final long nanos;
    private final int countMax;
    private final long bytesMax;
    private final Map<RequestId, Kept> kept = new LinkedHashMap<>();
    private long bytes;

    private record Kept(long sinceNanos, long bytes) {}

    Retention(long nanos, int countMax, long bytesMax) {
        this.nanos = nanos;
        this.countMax = countMax;
        this.bytesMax = bytesMax;
    }

    void keep(RequestId id, long size, long nowNanos) {
        forget(id);
        kept.put(id, new Kept(nowNanos, size));
        bytes += size;
    }

    /** It runs again, or is gone. */
    void forget(RequestId id) {
        var gone = kept.remove(id);
        if (gone != null) {
            bytes -= gone.bytes;
        }
    }

    /** Those whose time is over or for which there is no room, which are forgotten with this. */
    List<RequestId> drop(long nowNanos) {
        var dropped = new ArrayList<RequestId>();
        var oldest = kept.entrySet().iterator();
        while (oldest.hasNext()) {
            var entry = oldest.next();
            boolean room = kept.size() <= countMax && bytes <= bytesMax;
            if (room && nowNanos - entry.getValue().sinceNanos < nanos) {
                break;
            }
            oldest.remove();
            bytes -= entry.getValue().bytes;
            dropped.add(entry.getKey());
        }
        return dropped;
    }

    int size() {
        return kept.size();
    }
}
