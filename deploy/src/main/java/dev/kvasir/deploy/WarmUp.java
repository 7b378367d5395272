package dev.kvasir.deploy;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.LoadedModel;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.EngineLoad;
import dev.kvasir.worker.engine.EngineObserver;
import dev.kvasir.worker.engine.StreamSink;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Lets the JVM compile what requests need, before the first one comes: requests through an engine core of their own, on the
 * real runner. The serving engine starts with empty caches and counters, as if nothing had been.
 */
final class WarmUp {
    /** Short prompts first: they make the JVM compile what long ones would spend minutes interpreting. */
    private static final int[] PROMPT_TOKENS = {8, 8, 40, 40, 100, 300, 600, 600};

    private static final int OUTPUT_TOKENS = 24;
    private static final int REQUESTS = 2;

    private static final StreamSink NOBODY = new StreamSink() {
        @Override
        public void publish(StreamEvent event) {}

        @Override
        public void ended() {}
    };

    private static final EngineObserver UNSEEN = new EngineObserver() {
        @Override
        public void started(long queueNanos, int promptTokens, int cachedTokens) {}

        @Override
        public void resumed(int knownTokens, int cachedTokens) {}

        @Override
        public void loaded(EngineLoad now) {}

        @Override
        public void stepped(int tokens, int generatedTokens, int preemptions) {}

        @Override
        public void finished(FinishReason reason, int promptTokens, int generatedTokens) {}

        @Override
        public void failed(FailureKind kind) {}
    };

    private WarmUp() {}

    /** Runs rounds of requests, as many as the time allows. */
    static void run(LoadedModel model, Duration timeout, StartReport report) {
        if (timeout.isZero()) {
            return;
        }
        long start = System.nanoTime();
        var core = new EngineCore(model.settings(), model.runner(), UNSEEN);
        var random = new SplittableRandom(0);
        int rounds = 0;
        while (rounds < PROMPT_TOKENS.length && System.nanoTime() - start < timeout.toNanos()) {
            for (int i = 0; i < REQUESTS; i++) {
                core.submit(request(model, random, PROMPT_TOKENS[rounds] + i, i), System.nanoTime());
            }
            while (!core.isIdle() && System.nanoTime() - start < timeout.toNanos()) {
                core.step(System.nanoTime());
            }
            rounds++;
        }
        core.abandon(FailureKind.CANCELLED, "the warm-up is over");
        report.stage("warmed up in " + rounds + " rounds", System.nanoTime() - start);
    }

    /** Greedy or sampled. */
    private static ActiveRequest request(LoadedModel model, SplittableRandom random, int promptTokens, int number) {
        int length = Math.clamp(promptTokens, 1, Math.max(1, model.settings().maxModelLength() - OUTPUT_TOKENS));
        var prompt =
                random.ints(length, 0, model.description().vocabularySize()).toArray();
        var id = RequestId.random(random);
        var request = new GenerationRequest(id, model.settings().model(), prompt, sampling(number), id.value(), 0);
        return new ActiveRequest(request, ActiveRequest.NO_DEADLINE, NOBODY);
    }

    private static SamplingParameters sampling(int number) {
        float temperature = number % 2 == 0 ? 0 : 1;
        return new SamplingParameters(
                OUTPUT_TOKENS,
                0,
                temperature,
                0.95f,
                0,
                0,
                1,
                0,
                0,
                Map.of(),
                Set.of(),
                true,
                number,
                1,
                SamplingParameters.NO_LOGPROBS,
                SamplingParameters.NO_LOGPROBS);
    }
}
