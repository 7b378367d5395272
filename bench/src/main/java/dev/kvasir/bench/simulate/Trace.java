package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.Arrays;
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
        return pooledHitRate(capacity, Integer.MAX_VALUE);
    }

    /**
     * The same where nobody keeps more than the first {@code longest} blocks of a prompt: what workers can find at most that
     * have no room for more, if nothing that they keep were kept twice.
     */
    public double pooledHitRate(int capacity, int longest) {
        var cache = new BlockCache(capacity);
        long hits = 0;
        for (var request : requests) {
            hits += cache.match(request.prompt());
            int kept = Math.min(request.prompt().size(), longest);
            cache.use(request.prompt(), kept, BlockCache.Changes.NONE);
        }
        return (double) hits / blocks();
    }

    /**
     * How even work could be: that of the busiest of so many workers over the mean, without regard to where anything is cached.
     *
     * @param online where each request goes to whoever was given least before
     * @param offline where all requests are known before, and go to whoever was given least, the largest first
     */
    public record Balance(double online, double offline) {}

    /** Of requests that compute what one cache of {@code capacity} blocks does not have. */
    public Balance balance(int workers, int capacity) {
        var cache = new BlockCache(capacity);
        var work = new double[requests.size()];
        for (int i = 0; i < work.length; i++) {
            var request = requests.get(i);
            int cached = cache.match(request.prompt()) * blockSize;
            cache.use(request.prompt(), BlockCache.Changes.NONE);
            work[i] = Math.max(1, request.promptTokens() - cached) + request.outputTokens() - 1.0;
        }
        double online = toWhoeverHasLeast(work, workers);
        Arrays.sort(work);
        for (int i = 0; i < work.length / 2; i++) {
            double smaller = work[i];
            work[i] = work[work.length - 1 - i];
            work[work.length - 1 - i] = smaller;
        }
        return new Balance(online, toWhoeverHasLeast(work, workers));
    }

    private static double toWhoeverHasLeast(double[] work, int workers) {
        var least = new PriorityQueue<>(Collections.nCopies(workers, 0.0));
        for (double each : work) {
            least.add(least.remove() + each);
        }
        return Collections.max(least) * workers / Arrays.stream(work).sum();
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
