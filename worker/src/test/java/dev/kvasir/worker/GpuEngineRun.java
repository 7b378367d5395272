package dev.kvasir.worker;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.EngineLoad;
import dev.kvasir.worker.engine.EngineObserver;
import dev.kvasir.worker.engine.StreamSink;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A program: the engine alone, without actors and doors around it, on a model folder with random weights. Time to first
 * token of single prompts, then many requests at once.
 */
final class GpuEngineRun {
    private final LoadedModel model;
    private final SplittableRandom random = new SplittableRandom(1);
    private int tokens;
    private long firstNanos;
    private @Nullable SamplingParameters sampling;

    private final StreamSink sink = new StreamSink() {
        @Override
        public void publish(StreamEvent event) {
            if (event instanceof StreamEvent.Tokens some) {
                if (tokens == 0) {
                    firstNanos = System.nanoTime();
                }
                tokens += some.tokens().size();
            } else if (event instanceof StreamEvent.Failed failed) {
                System.out.println(failed);
            }
        }

        @Override
        public void ended() {}
    };

    static final EngineObserver UNSEEN = new EngineObserver() {
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

    private GpuEngineRun(LoadedModel model) {
        this.model = model;
    }

    /**
     * Arguments: model folder, number of requests, worker settings as HOCON; then log-probabilities per token, with which only
     * 64 requests at once are timed, greedy and drawn by chance, and a prompt whose tokens are scored. With "known" for the
     * number, only new questions about a prompt of 4,096 tokens are timed.
     */
    public static void main(String[] arguments) {
        var config = WorkerConfig.from(ConfigFactory.parseString(arguments[2]));
        var kernels = Devices.choose(
                config,
                CpuOptions.defaults(),
                new CudaOptions(0.9, Path.of("target", "cuda"), ""),
                System.out::println);
        long start = System.nanoTime();
        var model = new ModelLoader(
                        ModelFolder.open(Path.of(arguments[0])),
                        "model",
                        config,
                        kernels,
                        1,
                        "here",
                        AvailableMemory::bytes,
                        LoadProgress.NONE,
                        PreparationProgress.NONE)
                .call();
        System.out.printf("loaded in %.1f s: %s%n", (System.nanoTime() - start) / 1e9, model.description());
        var run = new GpuEngineRun(model);
        if (arguments.length > 3) {
            run.scored(Integer.parseInt(arguments[3]));
            model.runner().close();
            return;
        }
        if (arguments[1].equals("known")) {
            for (int round = 0; round < 6; round++) {
                run.known(4096, 16, 50);
            }
            model.runner().close();
            return;
        }
        int count = Integer.parseInt(arguments[1]);
        for (int i = 0; i < 3; i++) {
            run.first(512, 9);
        }
        for (int round = 0; round < 3; round++) {
            run.many(count, 256, 768, 128);
        }
        run.many(64, 512, 513, 128);
        model.runner().close();
    }

    private void scored(int topCount) {
        for (float temperature : new float[] {0, 0.8f}) {
            for (int logprobs : new int[] {SamplingParameters.NO_LOGPROBS, topCount}) {
                sampling = sampling(128, temperature, logprobs, SamplingParameters.NO_LOGPROBS);
                System.out.printf("temperature %.1f, %d log-probabilities: ", temperature, logprobs);
                many(64, 512, 513, 128);
            }
        }
        for (int logprobs : new int[] {SamplingParameters.NO_LOGPROBS, topCount}) {
            sampling = sampling(2, 0, SamplingParameters.NO_LOGPROBS, logprobs);
            System.out.printf("%d log-probabilities of prompt tokens: ", logprobs);
            first(2048, 5);
        }
    }

    private static SamplingParameters sampling(int tokens, float temperature, int logprobs, int promptLogprobs) {
        return new SamplingParameters(
                tokens, 0, temperature, 0.95f, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 7, 1, logprobs, promptLogprobs);
    }

    private void first(int length, int rounds) {
        var times = new double[rounds];
        for (int i = 0; i < times.length; i++) {
            var core = core();
            long start = System.nanoTime();
            submit(core, i, length, 2);
            while (!core.isIdle()) {
                core.step(System.nanoTime());
            }
            times[i] = (firstNanos - start) / 1e6;
        }
        Arrays.sort(times);
        System.out.println(
                String.format(Locale.ROOT, "first token after %.2f ms, prompt of %d", times[rounds / 2], length));
    }

    private void known(int length, int question, int rounds) {
        var core = core();
        int vocabulary = model.description().vocabularySize();
        var prompt = random.ints(length + question, 0, vocabulary).toArray();
        var times = new double[rounds];
        var begun = new double[rounds];
        for (int i = -1; i < rounds; i++) {
            System.arraycopy(random.ints(question, 0, vocabulary).toArray(), 0, prompt, length, question);
            tokens = 0;
            long start = System.nanoTime();
            submit(core, prompt.clone(), "salt", 4);
            long queued = System.nanoTime();
            while (!core.isIdle()) {
                core.step(System.nanoTime());
            }
            if (i >= 0) {
                times[i] = (firstNanos - start) / 1e6;
                begun[i] = (queued - start) / 1e6;
            }
        }
        Arrays.sort(times);
        Arrays.sort(begun);
        System.out.println(String.format(
                Locale.ROOT,
                "first token after %.2f ms (p10 %.2f), %.2f of it until queued, of a question of %d about %d known tokens",
                times[rounds / 2],
                times[rounds / 10],
                begun[rounds / 2],
                question,
                length));
    }

    private EngineCore core() {
        tokens = 0;
        return new EngineCore(model.settings(), model.runner(), UNSEEN);
    }

    private void many(int count, int lengthMin, int lengthMax, int outputs) {
        var core = core();
        long start = System.nanoTime();
        int prompts = 0;
        for (int i = 0; i < count; i++) {
            int length = random.nextInt(lengthMin, lengthMax);
            prompts += length;
            submit(core, i, length, outputs);
        }
        int steps = 0;
        var decode = new double[20_000];
        int decodes = 0;
        while (!core.isIdle()) {
            int before = tokens;
            long began = System.nanoTime();
            core.step(began);
            if (tokens - before == count) {
                decode[decodes++] = (System.nanoTime() - began) / 1e6;
            }
            steps++;
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        Arrays.sort(decode, 0, decodes);
        System.out.println(String.format(
                Locale.ROOT,
                "%d requests, %d prompt tokens, %d output tokens in %.2f s: %.0f output tokens/s; %d steps, of all together %.2f ms in"
                        + " the median of %d",
                count,
                prompts,
                tokens,
                seconds,
                tokens / seconds,
                steps,
                decodes == 0 ? 0 : decode[decodes / 2],
                decodes));
    }

    private void submit(EngineCore core, int number, int length, int outputs) {
        int vocabulary = model.description().vocabularySize();
        submit(core, random.ints(length, 0, vocabulary).toArray(), "salt" + number, outputs);
    }

    private void submit(EngineCore core, int[] prompt, String salt, int outputs) {
        var request = new GenerationRequest(
                RequestId.random(random),
                "model",
                prompt,
                sampling == null ? SamplingParameters.greedy(outputs) : sampling,
                salt,
                0);
        core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), System.nanoTime());
    }
}
