package dev.kvasir.router.placement;

import dev.kvasir.kvstore.transfer.PullPrice;
import java.util.List;

/** The workers as a router sees them at one moment, with a request in hand. */
public record ClusterView(List<WorkerView> workers) {
    public ClusterView {
        workers = List.copyOf(workers);
    }

    /**
     * One worker.
     *
     * @param model served model name
     * @param tokens still to be computed, as last reported, and for requests sent since
     * @param requests running, waiting, and sent since
     * @param recentTokens given to it by this router for computation, older ones counting less and less
     * @param freeBlocks that no sequence uses, empty or cached
     * @param pull what it costs there to pull KV instead of computing it
     * @param cached of the prompt of the request in hand
     * @param displacedTokens what the cached tokens are worth that the request would push out: each counts 1 if it was used
     *     just now, less the longer ago that is
     */
    public record WorkerView(
            WorkerId id,
            String model,
            int maxModelLength,
            int blockSize,
            long tokens,
            int requests,
            double recentTokens,
            int freeBlocks,
            int totalBlocks,
            boolean draining,
            PullPrice pull,
            Cached cached,
            double displacedTokens) {
        public long freeTokens() {
            return (long) freeBlocks * blockSize;
        }
    }

    /**
     * How much of a prompt need not be computed, in tokens from its start.
     *
     * @param here lies in the worker's pool, or will once it has computed what it was sent
     * @param near lies there or in the worker's host memory
     * @param far lies there or in its host memory, or would be pulled from a peer or a kvstore, since that is faster than to
     *     compute it
     */
    public record Cached(int here, int near, int far) {
        public static final Cached NONE = new Cached(0, 0, 0);
    }
}
