package dev.kvasir.router.placement;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * What each worker has to do, counted twice: by itself, in reports, and by this router for what it has sent since. A
 * dispatched request counts until the worker has acknowledged it and then reported, or until it has ended. Reports carry
 * rising epochs; a late one is ignored. When a worker dies, its entry goes, and no other changes.
 *
 * <p>Owned by one router, used on one thread.
 */
public final class LoadLedger {
    private final Map<WorkerId, Entry> entries = new TreeMap<>();

    /** A worker's own account. */
    public record Reported(long epoch, long tokens, int requests, int freeBlocks, boolean draining) {}

    public void join(WorkerId id, String model, int maxModelLength, int totalBlocks) {
        entries.putIfAbsent(id, new Entry(model, maxModelLength, totalBlocks));
    }

    public void remove(WorkerId id) {
        entries.remove(id);
    }

    public boolean contains(WorkerId id) {
        return entries.containsKey(id);
    }

    public void dispatched(WorkerId id, String requestId, long tokens) {
        var entry = entries.get(id);
        if (entry != null) {
            entry.sent.put(requestId, new Sent(tokens, false));
        }
    }

    /** The worker has the request: its next report includes it. */
    public void acknowledged(WorkerId id, String requestId) {
        var entry = entries.get(id);
        if (entry != null) {
            entry.sent.computeIfPresent(requestId, (_, sent) -> new Sent(sent.tokens, true));
        }
    }

    public void ended(WorkerId id, String requestId) {
        var entry = entries.get(id);
        if (entry != null) {
            entry.sent.remove(requestId);
        }
    }

    /** Whether the report was news. */
    public boolean reported(WorkerId id, Reported report) {
        var entry = entries.get(id);
        if (entry == null || report.epoch() <= entry.reported.epoch()) {
            return false;
        }
        entry.reported = report;
        entry.sent.values().removeIf(Sent::acknowledged);
        return true;
    }

    public ClusterView view() {
        return new ClusterView(entries.entrySet().stream()
                .map(e -> view(e.getKey(), e.getValue()))
                .toList());
    }

    private static WorkerView view(WorkerId id, Entry entry) {
        long sentTokens = entry.sent.values().stream().mapToLong(Sent::tokens).sum();
        return new WorkerView(
                id,
                entry.model,
                entry.maxModelLength,
                entry.reported.tokens() + sentTokens,
                entry.reported.requests() + entry.sent.size(),
                entry.reported.freeBlocks(),
                entry.totalBlocks,
                entry.reported.draining());
    }

    private record Sent(long tokens, boolean acknowledged) {}

    private static final class Entry {
        private final String model;
        private final int maxModelLength;
        private final int totalBlocks;
        private final Map<String, Sent> sent = new HashMap<>();
        private Reported reported;

        Entry(String model, int maxModelLength, int totalBlocks) {
            this.model = model;
            this.maxModelLength = maxModelLength;
            this.totalBlocks = totalBlocks;
            this.reported = new Reported(Long.MIN_VALUE, 0, 0, totalBlocks, false);
        }
    }
}
