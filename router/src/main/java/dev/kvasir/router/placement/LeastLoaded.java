package dev.kvasir.router.placement;

import java.util.random.RandomGenerator;

/**
 * To the eligible worker with the fewest tokens still to be computed, requests sent but not yet reported included. Equal
 * ones are chosen among at random, so that routers that see the same do not all do the same.
 */
public final class LeastLoaded implements Placement {
    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        return Choice.cheapest("least-loaded", view, query, w -> (double) w.tokens() + query.tokens(), random);
    }
}
