package dev.kvasir.bench.simulate;

import dev.kvasir.bench.simulate.Trace.Request;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;

/**
 * A trace of conversations that is like the public ones in what matters here: every prompt begins with one system prompt;
 * conversations go on for a few turns, minutes apart, each turn's prompt being all turns before it and something new;
 * lengths are spread log-normally, so that a few prompts are very long.
 */
final class GeneratedTrace {
    private static final int BLOCK_SIZE = 512;
    private static final double REQUESTS_PER_SECOND = 3.4;
    private static final double FIRST_TURN_TOKENS_MEDIAN = 6000;
    private static final double FIRST_TURN_SPREAD = 1.1;
    private static final double LATER_TURN_TOKENS_MEDIAN = 1200;
    private static final double LATER_TURN_SPREAD = 1.2;
    private static final double OUTPUT_TOKENS_MEDIAN = 250;
    private static final double OUTPUT_SPREAD = 0.9;
    private static final double GOES_ON = 0.45;
    private static final double PAUSE_SECONDS_MEDIAN = 90;
    private static final double PAUSE_SPREAD = 1;
    private static final int PROMPT_TOKENS_MAX = 126_000;

    private final SplittableRandom random;
    private final Trace.Names names = new Trace.Names();
    private long nextName = 1;

    private record Turn(double arrivalSeconds, int tokens, List<BlockHash> blocks) {}

    private GeneratedTrace(long seed) {
        this.random = new SplittableRandom(seed);
    }

    static Trace of(int count, long seed) {
        return new Trace("generated, seed " + seed, BLOCK_SIZE, new GeneratedTrace(seed).requests(count));
    }

    private List<Request> requests(int count) {
        var requests = new ArrayList<Request>();
        var later = new PriorityQueue<Turn>((a, b) -> Double.compare(a.arrivalSeconds, b.arrivalSeconds));
        double now = 0;
        // Conversations have 1 / (1 - GOES_ON) turns on average.
        double conversationsPerSecond = REQUESTS_PER_SECOND * (1 - GOES_ON);
        while (requests.size() < count) {
            now -= Math.log(1 - random.nextDouble()) / conversationsPerSecond;
            while (!later.isEmpty() && later.peek().arrivalSeconds <= now && requests.size() < count) {
                add(later.remove(), requests, later);
            }
            if (requests.size() < count) {
                int tokens = length(FIRST_TURN_TOKENS_MEDIAN, FIRST_TURN_SPREAD);
                add(new Turn(now, tokens, blocks(List.of(names.of(0)), tokens)), requests, later);
            }
        }
        return requests;
    }

    private void add(Turn turn, List<Request> requests, PriorityQueue<Turn> later) {
        int output = length(OUTPUT_TOKENS_MEDIAN, OUTPUT_SPREAD);
        requests.add(new Request(turn.arrivalSeconds, turn.tokens, output, HashChain.of(turn.blocks)));
        int tokens = turn.tokens + output + length(LATER_TURN_TOKENS_MEDIAN, LATER_TURN_SPREAD);
        if (random.nextDouble() < GOES_ON && tokens <= PROMPT_TOKENS_MAX) {
            double pause = PAUSE_SECONDS_MEDIAN * Math.exp(PAUSE_SPREAD * random.nextGaussian());
            var known = turn.blocks.subList(0, Math.max(1, turn.tokens / BLOCK_SIZE));
            later.add(new Turn(turn.arrivalSeconds + pause, tokens, blocks(known, tokens)));
        }
    }

    private List<BlockHash> blocks(List<BlockHash> known, int tokens) {
        var blocks = new ArrayList<>(known);
        while (blocks.size() < (tokens + BLOCK_SIZE - 1) / BLOCK_SIZE) {
            blocks.add(names.of(nextName++));
        }
        return blocks;
    }

    private int length(double median, double spread) {
        return (int) Math.clamp(median * Math.exp(spread * random.nextGaussian()), 1, PROMPT_TOKENS_MAX);
    }
}
