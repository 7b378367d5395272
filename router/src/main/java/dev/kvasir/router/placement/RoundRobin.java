package dev.kvasir.router.placement;

import java.util.random.RandomGenerator;

/** To each eligible worker in turn, whatever it holds and has to do. Not thread-safe. */
public final class RoundRobin implements Placement {
    private long turn;

    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        var eligible = Choice.eligible(view, query);
        if (eligible.isEmpty()) {
            return Choice.cheapest("round-robin", view, query, _ -> 0, random);
        }
        var next = eligible.get((int) (turn++ % eligible.size())).id();
        return Choice.cheapest("round-robin", view, query, w -> w.id().equals(next) ? 0 : 1, random);
    }
}
