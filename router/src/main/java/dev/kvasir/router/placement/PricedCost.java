package dev.kvasir.router.placement;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import java.util.random.RandomGenerator;

/**
 * The default: to the worker where the request costs least, in tokens that must be computed.
 *
 * <pre>
 * cost =   prompt tokens that no tier reachable from the worker holds
 *        + nearTokenCost   x tokens that come from its host memory
 *        + pullWeight      x price, as the worker measures it, of tokens that would be pulled from a peer or a kvstore
 *        + waitWeight      x load there beyond that of the least loaded worker, up to patience x prompt tokens
 *        + 1               x such load beyond that
 *        + shortageWeight  x tokens for which it has no free blocks
 *        + displacementWeight x worth of the cached tokens that the request pushes out
 *        + balanceWeight   x prompt tokens x how much more than the mean it was given lately, within [-1, 1]
 *
 * load = tokens queued there + sequenceTokens x requests there
 * </pre>
 *
 * All of it is per request and per worker: imbalance never takes the affinity of other requests away. Waiting is cheaper than
 * computing again, since it delays one request and computing delays all that come after (a pull is between them: it takes
 * network); but only up to a point, so that a
 * prefix that everybody asks for is computed in more and more places. The last term decides between workers that are as good
 * otherwise; it spreads what is new over all caches evenly, so that each evicts what has not been used for about as long, as
 * one pooled cache would.
 */
public final class PricedCost implements Placement {
    /**
     * What things cost, as a share of computing a token.
     *
     * @param nearTokenCost to copy a token's KV from host memory
     * @param pullWeight of a token that could be computed while a pull takes its time
     * @param waitWeight of a token that is computed before the request's turn
     * @param patience beyond so many times its own prompt, a request's wait counts in full
     * @param sequenceTokens of work that each request at hand stands for beyond what it has queued
     * @param shortageWeight of a token whose block must be waited for
     * @param displacementWeight of a token pushed out of the cache that was used just now
     * @param balanceWeight of having been given more than others lately
     * @param jitter added at random, as a share of the prompt, so that routers that see the same do not all do the same
     */
    public record Prices(
            double nearTokenCost,
            double pullWeight,
            double waitWeight,
            double patience,
            double sequenceTokens,
            double shortageWeight,
            double displacementWeight,
            double balanceWeight,
            double jitter) {
        public static final Prices DEFAULT = new Prices(0.1, 0.25, 0.05, 16, 512, 1, 1, 0.5, 0.001);
    }

    private final Prices prices;

    /** What all eligible workers together are like. */
    private record Field(double leastLoad, double recentMean) {}

    public PricedCost(Prices prices) {
        this.prices = prices;
    }

    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        var field = field(view, query);
        return Choice.cheapest(
                "cost", view, query, w -> cost(w, query, field), random, prices.jitter * query.promptTokens());
    }

    private Field field(ClusterView view, Query query) {
        double least = Double.POSITIVE_INFINITY;
        double recent = 0;
        int count = 0;
        for (var worker : view.workers()) {
            if (Choice.isEligible(worker, query)) {
                least = Math.min(least, load(worker));
                recent += worker.recentTokens();
                count++;
            }
        }
        return new Field(least, count == 0 ? 0 : recent / count);
    }

    private double cost(WorkerView worker, Query query, Field field) {
        return compute(worker, query)
                + wait(load(worker) - field.leastLoad, prices.patience * query.promptTokens())
                + prices.shortageWeight * shortage(worker, query)
                + prices.displacementWeight * worker.displacedTokens()
                + prices.balanceWeight * query.promptTokens() * imbalance(worker, field.recentMean);
    }

    private double load(WorkerView worker) {
        return worker.tokens() + prices.sequenceTokens * worker.requests();
    }

    private double wait(double ahead, double bearable) {
        return prices.waitWeight * Math.min(ahead, bearable) + Math.max(0, ahead - bearable);
    }

    private double compute(WorkerView worker, Query query) {
        var cached = worker.cached();
        int here = query.uncached(cached.here());
        int near = query.uncached(Math.max(cached.here(), cached.near()));
        int far = query.uncached(cached.far());
        return far + prices.nearTokenCost * (here - near) + pull(worker, near - far);
    }

    /** A pull that takes longer than computing is made only while others are computed: it costs no more. */
    private double pull(WorkerView worker, int tokens) {
        return tokens == 0
                ? 0
                : prices.pullWeight * Math.min(tokens, worker.pull().of(tokens));
    }

    private static double shortage(WorkerView worker, Query query) {
        long needed = query.uncached(worker.cached().here()) + query.outputTokens();
        return Math.max(0, needed - worker.freeTokens());
    }

    /** Measured in means or, while little has been given to anybody, in contents of the worker's cache. */
    private static double imbalance(WorkerView worker, double mean) {
        double unit = Math.max(mean, (double) worker.totalBlocks() * worker.blockSize());
        return unit <= 0 ? 0 : Math.clamp((worker.recentTokens() - mean) / unit, -1, 1);
    }
}
