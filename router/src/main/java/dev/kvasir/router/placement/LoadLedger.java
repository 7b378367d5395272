package dev.kvasir.router.placement;

import dev.kvasir.kvstore.transfer.PullPrice;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * What each worker has to do, counted twice: by itself, in reports, and by this router for what it has sent since. A
 * dispatched request counts until the worker has acknowledged it and then reported, or until it has ended. Reports carry
 * rising epochs; a late one is ignored. When a worker dies, its entry goes, and no other changes.
 *
 * <p>Owned by one router, used on one thread.
 */
public final class LoadLedger {
    /** What was given to a worker so long ago counts half. */
    static final double RECENT_HALF_LIFE_NANOS = 600e9;

    private final Map<WorkerId, Entry> entries = new TreeMap<>();

    /**
     * A worker's own account.
     *
     * @param pull what it costs there to pull KV instead of computing it
     */
    public record Reported(long epoch, long tokens, int requests, int freeBlocks, boolean draining, PullPrice pull) {
        /** Of a worker that does not pull. */
        public Reported(long epoch, long tokens, int requests, int freeBlocks, boolean draining) {
            this(epoch, tokens, requests, freeBlocks, draining, PullPrice.NONE);
        }
    }

    /** What does not change in a worker's life. */
    public record Capacity(String model, int maxModelLength, int blockSize, int totalBlocks) {}

    public void join(WorkerId id, Capacity capacity) {
        entries.computeIfAbsent(id, i -> new Entry(i, capacity));
    }

    public void remove(WorkerId id) {
        entries.remove(id);
    }

    public boolean contains(WorkerId id) {
        return entries.containsKey(id);
    }

    /** A request was sent that gives the worker so many tokens to compute, and has it use blocks for so many. */
    public void dispatched(WorkerId id, String requestId, long tokens, int usedTokens, long nowNanos) {
        var entry = entries.get(id);
        if (entry != null) {
            entry.forget(requestId);
            entry.sent.put(requestId, new Sent(tokens, false));
            entry.sentTokens += tokens;
            entry.recent = entry.recentAt(nowNanos) + tokens;
            entry.recentNanos = nowNanos;
            entry.turnover.forget(entry.capacity.totalBlocks());
            entry.turnover.used(Math.ceilDiv(usedTokens, entry.capacity.blockSize()), nowNanos);
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
            entry.forget(requestId);
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
        entry.sentTokens = entry.sent.values().stream().mapToLong(Sent::tokens).sum();
        return true;
    }

    /** Gives all accounts, in the order of worker ids. */
    void forEach(long nowNanos, Consumer<Account> action) {
        entries.values().forEach(entry -> action.accept(entry.account(nowNanos)));
    }

    /** One worker's load at a moment. */
    record Account(
            WorkerId id,
            Capacity capacity,
            long tokens,
            int requests,
            double recentTokens,
            int freeBlocks,
            boolean draining,
            PullPrice pull,
            Turnover turnover) {}

    private record Sent(long tokens, boolean acknowledged) {}

    private static final class Entry {
        private final WorkerId id;
        private final Capacity capacity;
        private final Map<String, Sent> sent = new HashMap<>();
        private final Turnover turnover = new Turnover();
        private long sentTokens;
        private double recent;
        private long recentNanos;
        private Reported reported;

        Entry(WorkerId id, Capacity capacity) {
            this.id = id;
            this.capacity = capacity;
            this.reported = new Reported(Long.MIN_VALUE, 0, 0, capacity.totalBlocks(), false, PullPrice.NONE);
        }

        void forget(String requestId) {
            var gone = sent.remove(requestId);
            sentTokens -= gone == null ? 0 : gone.tokens;
        }

        double recentAt(long nowNanos) {
            return recent == 0 ? 0 : recent * Math.pow(0.5, (nowNanos - recentNanos) / RECENT_HALF_LIFE_NANOS);
        }

        Account account(long nowNanos) {
            return new Account(
                    id,
                    capacity,
                    reported.tokens() + sentTokens,
                    reported.requests() + sent.size(),
                    recentAt(nowNanos),
                    reported.freeBlocks(),
                    reported.draining(),
                    reported.pull(),
                    turnover);
        }
    }
}
