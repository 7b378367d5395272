package dev.kvasir.bench.simulate;

import dev.kvasir.bench.simulate.Trace.Request;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A worker that computes nothing, but takes the time for it: continuous batching with chunked prefill, first come first
 * served, and a cache of blocks. Its cache counts beside what running sequences hold, so blocks never run out.
 */
final class SimulatedWorker {
    private final StepCosts costs;
    private final BlockCache cache;
    private final int blockSize;
    private final Listener listener;
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();
    private final List<Job> decoding = new ArrayList<>();
    private @Nullable Job prefilling;
    private double stepBegan;
    private double stepSeconds;
    private int steps;
    private int stepPrefill;
    private long computedTokens;

    /** What the rest of the cluster hears of a worker. */
    interface Listener extends BlockCache.Changes {
        void firstToken(Job job, double nowSeconds);

        void finished(Job job, double nowSeconds);
    }

    /** A request on this worker. */
    static final class Job {
        final int index;
        final Request request;
        int remainingPrompt;
        int remainingOutput;
        int hitBlocks;

        Job(int index, Request request) {
            this.index = index;
            this.request = request;
            this.remainingPrompt = request.promptTokens();
            this.remainingOutput = request.outputTokens();
        }
    }

    SimulatedWorker(StepCosts costs, int cacheBlocks, int blockSize, Listener listener) {
        this.costs = costs;
        this.cache = new BlockCache(cacheBlocks);
        this.blockSize = blockSize;
        this.listener = listener;
    }

    void accept(Job job) {
        waiting.add(job);
    }

    boolean running() {
        return steps > 0;
    }

    /** Begins the next step, or several that are alike, if there is anything to do. Gives their end, or infinity. */
    double begin(double nowSeconds) {
        stepPrefill = planPrefill(costs.stepTokensMax() - decoding.size());
        if (stepPrefill == 0 && decoding.isEmpty()) {
            steps = 0;
            return Double.POSITIVE_INFINITY;
        }
        stepBegan = nowSeconds;
        stepSeconds = costs.stepSeconds(stepPrefill, decoding.size());
        steps = stepPrefill > 0
                ? 1
                : decoding.stream().mapToInt(job -> job.remainingOutput).min().orElseThrow();
        return end();
    }

    /** Something has come that the next step must see: of several steps, those not begun are not taken. Gives the end. */
    double cut(double nowSeconds) {
        steps = Math.clamp((int) Math.ceil((nowSeconds - stepBegan) / stepSeconds), 1, steps);
        return end();
    }

    private double end() {
        return stepBegan + steps * stepSeconds;
    }

    private int planPrefill(int budget) {
        if (prefilling == null && !waiting.isEmpty() && decoding.size() < costs.sequencesMax()) {
            prefilling = waiting.remove();
            prefilling.hitBlocks = cache.match(prefilling.request.prompt());
            prefilling.remainingPrompt =
                    Math.max(1, prefilling.request.promptTokens() - prefilling.hitBlocks * blockSize);
        }
        return prefilling == null ? 0 : Math.min(Math.max(1, budget), prefilling.remainingPrompt);
    }

    /** The steps begun have ended. */
    void end(double nowSeconds) {
        computedTokens += stepPrefill + (long) steps * decoding.size();
        for (var job : decoding) {
            job.remainingOutput -= steps;
        }
        decoding.removeIf(job -> {
            if (job.remainingOutput <= 0) {
                listener.finished(job, nowSeconds);
                return true;
            }
            return false;
        });
        if (prefilling != null) {
            prefilling.remainingPrompt -= stepPrefill;
            if (prefilling.remainingPrompt == 0) {
                prefilled(prefilling, nowSeconds);
                prefilling = null;
            }
        }
        steps = 0;
    }

    private void prefilled(Job job, double nowSeconds) {
        cache.use(job.request.prompt(), listener);
        listener.firstToken(job, nowSeconds);
        job.remainingOutput--;
        if (job.remainingOutput == 0) {
            listener.finished(job, nowSeconds);
        } else {
            decoding.add(job);
        }
    }

    /** Tokens known but not computed, as a worker reports them. */
    long queuedTokens() {
        long tokens = (long) decoding.size() + (prefilling == null ? 0 : prefilling.remainingPrompt);
        for (var job : waiting) {
            tokens += job.remainingPrompt;
        }
        return tokens;
    }

    int requests() {
        return decoding.size() + waiting.size() + (prefilling == null ? 0 : 1);
    }

    long computedTokens() {
        return computedTokens;
    }

    int cachedBlocks() {
        return cache.size();
    }
}
