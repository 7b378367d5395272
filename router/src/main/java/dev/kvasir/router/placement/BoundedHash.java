package dev.kvasir.router.placement;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.router.placement.ClusterView.WorkerView;
import java.util.random.RandomGenerator;

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam): prompts that begin alike go to the same
 * worker unless that has more than {@value #LOAD_MAX} times its share of the requests, then to the next in their order of
 * workers (rendezvous hashing, so that a worker that comes or goes moves its own prompts alone). Needs no index.
 */
public final class BoundedHash implements Placement {
    private static final double LOAD_MAX = 1.25;

    /** Prompts alike in so many tokens go together; short of it, a system prompt would bind all to one worker. */
    private static final int KEY_TOKENS = 1024;

    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        var eligible = Choice.eligible(view, query);
        long key = key(query, eligible.isEmpty() ? 1 : eligible.getFirst().blockSize(), random);
        double mean = (eligible.stream().mapToInt(WorkerView::requests).sum() + 1.0) / Math.max(1, eligible.size());
        double bound = Math.ceil(LOAD_MAX * mean);
        return Choice.cheapest(
                "bounded-hash", view, query, w -> rank(w.id(), key) + (w.requests() + 1 > bound ? 1 : 0), random);
    }

    private static long key(Query query, int blockSize, RandomGenerator random) {
        HashChain prompt = query.prompt();
        int blocks = Math.min(prompt.size(), Math.max(1, KEY_TOKENS / blockSize));
        if (blocks == 0) {
            return random.nextLong();
        }
        var hash = prompt.get(blocks - 1);
        return hash.high() ^ hash.low();
    }

    /** The worker's place in the key's order, between 0 and 1. */
    private static double rank(WorkerId worker, long key) {
        long mixed = (key ^ worker.address().hashCode() * 0x9e3779b97f4a7c15L) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94d049bb133111ebL;
        return (mixed >>> 11) * 0x1.0p-53;
    }
}
