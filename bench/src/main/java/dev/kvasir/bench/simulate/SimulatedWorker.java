package dev.kvasir.bench.simulate;

import dev.kvasir.bench.simulate.Trace.Request;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A worker that computes nothing, but takes the time for it: continuous batching with chunked prefill, first come first
 * served but for those whose blocks are being pulled, and blocks on its device and in host memory. Its cache counts beside
 * what running sequences hold, so blocks never run out.
 */
final class SimulatedWorker {
    private final StepCosts costs;
    private final BlockCache device;
    private final HostTier host;
    private final int blockSize;
    private final double restoreSecondsPerBlock;
    private final Listener listener;
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();
    private final List<Job> decoding = new ArrayList<>();
    private @Nullable Job prefilling;
    private double stepBegan;
    private double stepSeconds;
    private double restoreSeconds;
    private int steps;
    private int stepPrefill;
    private long computedTokens;

    /** What the rest of the cluster hears of a worker. */
    interface Listener extends BlockCache.Changes {
        /** The device has let go of a block, or had no room for it; host memory may have it. */
        void released(BlockHash hash);

        void storedInHost(BlockHash hash);

        void evictedFromHost(BlockHash hash);

        void firstToken(Job job, double nowSeconds);

        void finished(Job job, double nowSeconds);
    }

    /** A request on this worker. */
    static final class Job {
        final int index;
        final Request request;
        final double readySeconds;
        final int pulledFrom;
        final int pulledTo;
        int remainingPrompt;
        int expectedWork;
        int remainingOutput;
        int localBlocks;
        int pulledBlocks;

        /** With blocks of its prompt that are pulled, in [pulledFrom, pulledTo), until {@code readySeconds}. */
        Job(int index, Request request, double readySeconds, int pulledFrom, int pulledTo) {
            this.index = index;
            this.request = request;
            this.readySeconds = readySeconds;
            this.pulledFrom = pulledFrom;
            this.pulledTo = pulledTo;
            this.remainingPrompt = request.promptTokens();
            this.remainingOutput = request.outputTokens();
        }

        private void start(int local, int blockSize) {
            localBlocks = local;
            pulledBlocks = local < pulledFrom ? 0 : Math.max(0, pulledTo - local);
            remainingPrompt = Math.max(1, remainingPrompt - (local + pulledBlocks) * blockSize);
        }
    }

    /** Blocks that the device let go of, and that come back when they are wanted. */
    private final class HostTier implements BlockCache.Changes {
        private final BlockCache cache;

        HostTier(int blocks) {
            cache = new BlockCache(blocks);
        }

        @Override
        public void stored(BlockHash hash, @Nullable BlockHash parent) {
            listener.storedInHost(hash);
        }

        @Override
        public void evicted(BlockHash hash) {
            listener.evictedFromHost(hash);
        }
    }

    /** Passes on what happens on the device, and moves what it lets go of to host memory. */
    private final class DeviceChanges implements BlockCache.Changes {
        @Override
        public void stored(BlockHash hash, @Nullable BlockHash parent) {
            listener.stored(hash, parent);
        }

        @Override
        public void evicted(BlockHash hash) {
            listener.evicted(hash);
            host.cache.use(hash, null, host);
            listener.released(hash);
        }
    }

    SimulatedWorker(StepCosts costs, Capacity capacity, Network network, int blockSize, Listener listener) {
        this.costs = costs;
        this.device = new BlockCache(capacity.deviceBlocks());
        this.host = new HostTier(capacity.hostBlocks());
        this.blockSize = blockSize;
        this.restoreSecondsPerBlock = blockSize * network.tokenBytes() / network.hostBytesPerSecond();
        this.listener = listener;
    }

    void accept(Job job) {
        int local = localBlocks(job.request.prompt());
        int found = local < job.pulledFrom ? local : Math.max(local, job.pulledTo);
        job.expectedWork = Math.max(1, job.remainingPrompt - found * blockSize);
        waiting.add(job);
    }

    boolean running() {
        return steps > 0;
    }

    /** Blocks of a prompt on the device and in host memory. */
    int localBlocks(HashChain chain) {
        return host.cache.match(chain, device.match(chain));
    }

    /**
     * Begins the next step, or several that are alike, if there is anything to do. Gives their end, or when a pull for the
     * next one ends, or infinity.
     */
    double begin(double nowSeconds) {
        restoreSeconds = 0;
        stepPrefill = planPrefill(costs.stepTokensMax() - decoding.size(), nowSeconds);
        if (stepPrefill == 0 && decoding.isEmpty()) {
            steps = 0;
            return nextReady();
        }
        stepBegan = nowSeconds;
        stepSeconds = costs.stepSeconds(stepPrefill, decoding.size()) + restoreSeconds;
        steps = stepPrefill > 0 ? 1 : stepsUntilChange(nowSeconds);
        return end();
    }

    private int stepsUntilChange(double nowSeconds) {
        int untilEnd =
                decoding.stream().mapToInt(job -> job.remainingOutput).min().orElseThrow();
        double ready = decoding.size() < costs.sequencesMax() ? nextReady() : Double.POSITIVE_INFINITY;
        return (int) Math.clamp(Math.ceil((ready - nowSeconds) / stepSeconds), 1, untilEnd);
    }

    private double nextReady() {
        double ready = Double.POSITIVE_INFINITY;
        for (var job : waiting) {
            ready = Math.min(ready, job.readySeconds);
        }
        return ready;
    }

    /** Something has come that the next step must see: of several steps, those not begun are not taken. Gives the end. */
    double cut(double nowSeconds) {
        steps = Math.clamp((int) Math.ceil((nowSeconds - stepBegan) / stepSeconds), 1, steps);
        return end();
    }

    private double end() {
        return stepBegan + steps * stepSeconds;
    }

    private int planPrefill(int budget, double nowSeconds) {
        if (prefilling == null && decoding.size() < costs.sequencesMax()) {
            prefilling = takeReady(nowSeconds);
            if (prefilling != null) {
                start(prefilling);
            }
        }
        return prefilling == null ? 0 : Math.min(Math.max(1, budget), prefilling.remainingPrompt);
    }

    private @Nullable Job takeReady(double nowSeconds) {
        for (var each = waiting.iterator(); each.hasNext(); ) {
            var job = each.next();
            if (job.readySeconds <= nowSeconds) {
                each.remove();
                return job;
            }
        }
        return null;
    }

    private void start(Job job) {
        var prompt = job.request.prompt();
        int onDevice = device.match(prompt);
        job.start(host.cache.match(prompt, onDevice), blockSize);
        restoreSeconds = (job.localBlocks + job.pulledBlocks - onDevice) * restoreSecondsPerBlock;
    }

    /** The steps begun have ended. */
    void end(double nowSeconds) {
        if (steps == 0) {
            return;
        }
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
        var prompt = job.request.prompt();
        device.use(prompt, new DeviceChanges());
        for (int i = prompt.size() - 1; i >= device.match(prompt); i--) {
            listener.released(prompt.get(i));
        }
        listener.firstToken(job, nowSeconds);
        job.remainingOutput--;
        if (job.remainingOutput == 0) {
            listener.finished(job, nowSeconds);
        } else {
            decoding.add(job);
        }
    }

    /** Tokens to be computed, as a worker reports them. */
    long queuedTokens() {
        long tokens = (long) decoding.size() + (prefilling == null ? 0 : prefilling.remainingPrompt);
        for (var job : waiting) {
            tokens += job.expectedWork;
        }
        return tokens;
    }

    int requests() {
        return decoding.size() + waiting.size() + (prefilling == null ? 0 : 1);
    }

    long computedTokens() {
        return computedTokens;
    }
}
