package dev.kvasir.router.placement;

import java.util.random.RandomGenerator;

/**
 * To the worker that holds the longest prefix of the prompt, however busy it is. What all prompts begin with, such as a
 * system prompt, ties them to the first worker that has seen it: kept for comparison.
 */
public final class LongestPrefix implements Placement {
    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        return Choice.cheapest(
                "longest-prefix", view, query, w -> query.uncached(w.cached().near()), random);
    }
}
