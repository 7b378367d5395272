package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;

/**
 * Requests in the order of their arrival.
 *
 * @param name for reports
 * @param blockSize tokens that one hash stands for
 */
public record Trace(String name, int blockSize, List<Request> requests) {
    public Trace {
        requests = List.copyOf(requests);
        if (requests.isEmpty()) {
            throw new IllegalArgumentException("the trace has no requests");
        }
    }

    /**
     * One request.
     *
     * @param prompt names of its blocks; the last one may be partly filled
     */
    public record Request(double arrivalSeconds, int promptTokens, int outputTokens, HashChain prompt) {}

    public long promptTokens() {
        return requests.stream().mapToLong(Request::promptTokens).sum();
    }

    public long blocks() {
        return requests.stream().mapToLong(r -> r.prompt().size()).sum();
    }

    public int uniqueBlocks() {
        var seen = new HashSet<BlockHash>();
        requests.forEach(r -> {
            for (int i = 0; i < r.prompt().size(); i++) {
                seen.add(r.prompt().get(i));
            }
        });
        return seen.size();
    }

    public double seconds() {
        return requests.getLast().arrivalSeconds();
    }

    /** Share of blocks found in one cache of {@code capacity} blocks that serves all requests one after the other. */
    public double pooledHitRate(int capacity) {
        var cache = new BlockCache(capacity);
        long hits = 0;
        for (var request : requests) {
            hits += cache.match(request.prompt());
            cache.use(request.prompt(), BlockCache.Changes.NONE);
        }
        return (double) hits / blocks();
    }

    /**
     * Work of the busiest of so many workers over the mean where each request goes to whoever was given least before, and
     * computes what one cache of {@code capacity} blocks does not have: how even it gets without regard to caches.
     */
    public double greedyImbalance(int workers, int capacity) {
        var cache = new BlockCache(capacity);
        var least = new PriorityQueue<>(Collections.nCopies(workers, 0.0));
        double sum = 0;
        for (var request : requests) {
            int cached = cache.match(request.prompt()) * blockSize;
            cache.use(request.prompt(), BlockCache.Changes.NONE);
            int work = Math.max(1, request.promptTokens() - cached) + request.outputTokens() - 1;
            sum += work;
            least.add(least.remove() + work);
        }
        return Collections.max(least) * workers / sum;
    }

    /** Turns the numbers that a trace has for its blocks into names, the same object for the same number. */
    static final class Names {
        private final Map<Long, BlockHash> names = new HashMap<>();

        BlockHash of(long number) {
            return names.computeIfAbsent(number, n -> new BlockHash(n, mix(n)));
        }

        private static long mix(long value) {
            long mixed = (value + 1) * 0x9e3779b97f4a7c15L;
            mixed = (mixed ^ mixed >>> 30) * 0xbf58476d1ce4e5b9L;
            return mixed ^ mixed >>> 31;
        }
    }
}
