package dev.kvasir.router;

import dev.kvasir.router.placement.Decision;
import dev.kvasir.router.placement.Query;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Where the last requests went, and why. Written by the router actor, read by any thread. */
public final class DecisionLog {
    private static final int REQUESTS_MAX = 1000;
    private static final int DECISIONS_PER_REQUEST_MAX = 8;
    private static final int CANDIDATES_MAX = 8;

    private final Map<String, List<Entry>> byRequest = new LinkedHashMap<>();

    /**
     * One decision.
     *
     * @param decision with its cheapest candidates alone
     * @param candidateCount of all workers that were looked at
     */
    public record Entry(
            long unixMillis,
            String model,
            int promptTokens,
            long outputTokens,
            Decision decision,
            int candidateCount) {}

    synchronized void add(String requestId, Query query, Decision decision, long unixMillis) {
        var entries = byRequest.computeIfAbsent(requestId, _ -> new ArrayList<>(1));
        if (entries.size() < DECISIONS_PER_REQUEST_MAX) {
            entries.add(new Entry(
                    unixMillis,
                    query.model(),
                    query.promptTokens(),
                    query.outputTokens(),
                    decision.shortened(CANDIDATES_MAX),
                    decision.candidates().size()));
        }
        if (byRequest.size() > REQUESTS_MAX) {
            byRequest.remove(byRequest.keySet().iterator().next());
        }
    }

    /** Decisions about a request, in order; empty for requests placed long ago, or by others. */
    public synchronized List<Entry> of(String requestId) {
        return List.copyOf(byRequest.getOrDefault(requestId, List.of()));
    }
}
