package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.transfer.PullEstimate;
import dev.kvasir.kvstore.transfer.PullPrice;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A worker's pulls: decided by the estimate that real workers decide by, which is fed with the times that the network takes.
 * Requests that lack the same blocks wait for one pull.
 */
final class SimulatedPulls {
    private static final int TRANSFERS_MAX = 8;

    private final Network network;
    private final int blockSize;
    private final double tokensPerSecond;
    private final Link link;
    private final PullEstimate estimate = new PullEstimate();
    private final Map<BlockHash, Pull> underWay = new HashMap<>();
    private long pulledBlocks;

    /**
     * A pull.
     *
     * @param endBlocks of the chain that will be there then
     */
    record Pull(double readySeconds, HashChain chain, int endBlocks) {
        private boolean brings(HashChain wanted, int end) {
            return end <= endBlocks && chain.get(end - 1).equals(wanted.get(end - 1));
        }
    }

    SimulatedPulls(Network network, int blockSize, double tokensPerSecond, Link link) {
        this.network = network;
        this.blockSize = blockSize;
        this.tokensPerSecond = tokensPerSecond;
        this.link = link;
    }

    /** As the worker reports it. */
    PullPrice price(double nowSeconds) {
        return network.pulls()
                ? estimate.price(network.tokenBytes(), underWay(nowSeconds), tokensPerSecond)
                : PullPrice.NONE;
    }

    private int underWay(double nowSeconds) {
        underWay.values().removeIf(pull -> pull.readySeconds <= nowSeconds);
        return underWay.size();
    }

    /**
     * Begins to pull blocks of a chain; null where computing them is better.
     *
     * @param legs whom they come from, in the order of the chain
     * @param tokensAhead to be computed here before
     */
    @Nullable
    Pull begin(HashChain chain, List<Leg> legs, long tokensAhead, double nowSeconds) {
        int have = legs.getFirst().from();
        int end = legs.getLast().end();
        int others = underWay(nowSeconds);
        var same = underWay.get(chain.get(have));
        if (same != null && same.brings(chain, end)) {
            return same;
        }
        long tokens = (long) (end - have) * blockSize;
        long bytes = (long) (tokens * network.tokenBytes());
        if (others >= TRANSFERS_MAX || !estimate.isWorth(bytes, others, tokens, tokensPerSecond, tokensAhead)) {
            return null;
        }
        double first = Double.POSITIVE_INFINITY;
        double last = 0;
        for (var leg : legs) {
            double seconds = leg.blocks() * blockSize * network.tokenBytes() / network.bytesPerSecond();
            double begin = leg.link().send(link, nowSeconds + network.latencySeconds(), seconds);
            first = Math.min(first, begin);
            last = Math.max(last, begin + seconds);
        }
        var pull = new Pull(last, chain, end);
        underWay.put(chain.get(have), pull);
        observe(end - have, first - nowSeconds, last - first);
        pulledBlocks += end - have;
        return pull;
    }

    /** At once, though real ones do so at the end: what is decided meanwhile hardly differs. */
    private void observe(int blocks, double firstSeconds, double seconds) {
        double block = seconds / blocks;
        long bytes = (long) ((blocks - 1.0) * blockSize * network.tokenBytes());
        estimate.observe(bytes, nanos(firstSeconds + block), nanos(seconds - block));
    }

    private static long nanos(double seconds) {
        return Math.round(seconds * 1e9);
    }

    long pulledBlocks() {
        return pulledBlocks;
    }
}
