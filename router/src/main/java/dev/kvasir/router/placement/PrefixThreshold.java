package dev.kvasir.router.placement;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import java.util.Comparator;
import java.util.random.RandomGenerator;

/**
 * The rule of SGLang's cache-aware router, for comparison: where load is out of balance, to the shortest queue; else to the
 * longest prefix if that is more than half of the prompt; else to the worker that was given least to compute.
 */
public final class PrefixThreshold implements Placement {
    private static final double MATCHED_MIN = 0.5;
    private static final int REQUESTS_APART_MIN = 32;
    private static final double REQUESTS_RATIO_MIN = 1.1;

    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        var eligible = Choice.eligible(view, query);
        int most = eligible.stream().mapToInt(WorkerView::requests).max().orElse(0);
        int fewest = eligible.stream().mapToInt(WorkerView::requests).min().orElse(0);
        if (most - fewest > REQUESTS_APART_MIN && most > REQUESTS_RATIO_MIN * fewest) {
            return Choice.cheapest("prefix-threshold", view, query, WorkerView::requests, random);
        }
        int longest = eligible.stream()
                .map(w -> w.cached().near())
                .max(Comparator.naturalOrder())
                .orElse(0);
        if (longest > MATCHED_MIN * query.promptTokens()) {
            return Choice.cheapest(
                    "prefix-threshold",
                    view,
                    query,
                    w -> query.uncached(w.cached().near()),
                    random);
        }
        return Choice.cheapest("prefix-threshold", view, query, WorkerView::recentTokens, random);
    }
}
