package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.ClusterView;
import dev.kvasir.router.placement.Decision;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.util.Set;
import java.util.random.RandomGenerator;

/** Where a request goes: what is asked of the placement, and what becomes of its answer. Time and randomness from outside. */
public final class Dispatch {
    private final Placement placement;
    private final RandomGenerator random;

    public Dispatch(Placement placement, RandomGenerator random) {
        this.placement = placement;
        this.random = random;
    }

    /**
     * What a request asks of its worker.
     *
     * @param tokensSoFar which are computed with the prompt, and not generated again
     */
    public static Query query(ValidRequest request, HashChain chain, int tokensSoFar) {
        var generation = request.generation();
        int output = generation.sampling().maxTokens();
        int prompt = generation.prompt().length;
        return new Query(
                generation.model(),
                prompt + tokensSoFar,
                Math.max(0, (long) output * generation.sampling().n() - tokensSoFar),
                prompt + output,
                chain);
    }

    /** Chooses a worker but for some; the request counts as sent to nobody until {@link ClusterState#dispatched}. */
    public Decision place(ClusterState state, String requestId, Query query, Set<WorkerId> without, long nowNanos) {
        state.ended(requestId);
        var all = state.view(query, nowNanos);
        var view = without.isEmpty()
                ? all
                : new ClusterView(all.workers().stream()
                        .filter(worker -> !without.contains(worker.id()))
                        .toList());
        return placement.place(view, query, random);
    }
}
