package dev.kvasir.worker;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.worker.engine.EngineLoad;
import dev.kvasir.worker.engine.EngineObserver;
import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.ToDoubleFunction;

/**
 * What a worker measures. Names and buckets are vLLM's where the meaning is the same; our own begin with {@code kvasir:}.
 * Recorded by the engine's thread, read by any.
 */
public final class WorkerMetrics implements EngineObserver {
    public static final String REQUESTS_RUNNING = "vllm:num_requests_running";
    public static final String REQUESTS_WAITING = "vllm:num_requests_waiting";
    public static final String KV_CACHE_USAGE = "vllm:kv_cache_usage_perc";
    public static final String PREFIX_CACHE_QUERIES = "vllm:prefix_cache_queries";
    public static final String PREFIX_CACHE_HITS = "vllm:prefix_cache_hits";
    public static final String PROMPT_TOKENS = "vllm:prompt_tokens";
    public static final String GENERATION_TOKENS = "vllm:generation_tokens";
    public static final String PREEMPTIONS = "vllm:num_preemptions";
    public static final String QUEUE_TIME = "vllm:request_queue_time_seconds";
    public static final String ITERATION_TOKENS = "kvasir:iteration_tokens";
    public static final String TOKENS_IN_FLIGHT = "kvasir:worker_tokens_in_flight";
    public static final String KV_BLOCKS_FREE = "kvasir:worker_kv_blocks_free";
    public static final String KV_BLOCKS = "kvasir:worker_kv_blocks";
    public static final String OUTPUTS_FINISHED = "kvasir:worker_outputs_finished";
    public static final String RESUMED_TOKENS = "kvasir:worker_resumed_tokens";
    public static final String RECOMPUTED_TOKENS = "kvasir:worker_recomputed_tokens";
    public static final String REQUESTS_FAILED = "kvasir:worker_requests_failed";

    private static final String MODEL_NAME = "model_name";
    private static final double[] QUEUE_SECONDS = {
        .001, .005, .01, .05, .1, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920,
        7680
    };
    private static final double[] STEP_TOKENS = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

    private final AtomicReference<EngineLoad> load = new AtomicReference<>(new EngineLoad(0, 0, 0, 0, 0, 0));
    private final PrometheusRegistry registry;
    private final String model;
    private final CounterDataPoint prefixCacheQueries;
    private final CounterDataPoint prefixCacheHits;
    private final CounterDataPoint promptTokens;
    private final CounterDataPoint generationTokens;
    private final CounterDataPoint preemptions;
    private final CounterDataPoint resumedTokens;
    private final CounterDataPoint recomputedTokens;
    private final DistributionDataPoint queueTime;
    private final DistributionDataPoint iterationTokens;
    private final Counter finished;
    private final Counter failed;

    /** Registers all metrics, once per registry. */
    public WorkerMetrics(PrometheusRegistry registry, String model) {
        this.registry = registry;
        this.model = model;
        prefixCacheQueries = counter(PREFIX_CACHE_QUERIES, "Prompt tokens looked up in the prefix cache.");
        prefixCacheHits = counter(PREFIX_CACHE_HITS, "Prompt tokens found in the prefix cache.");
        promptTokens = counter(PROMPT_TOKENS, "Prompt tokens of requests that have started.");
        generationTokens = counter(GENERATION_TOKENS, "Tokens generated.");
        preemptions = counter(PREEMPTIONS, "Sequences that gave their blocks back to be recomputed.");
        resumedTokens = counter(RESUMED_TOKENS, "Tokens of prompt and output of requests that went on here.");
        recomputedTokens = counter(
                RECOMPUTED_TOKENS, "Tokens of requests that went on here and were not found in the prefix cache.");
        queueTime = histogram(QUEUE_TIME, "From arrival at the worker to the first step.", QUEUE_SECONDS);
        iterationTokens = histogram(ITERATION_TOKENS, "Tokens computed in a step.", STEP_TOKENS);
        finished = labelled(OUTPUTS_FINISHED, "Outputs that ended, by reason.", "finished_reason");
        failed = labelled(REQUESTS_FAILED, "Requests refused or failed, by kind.", "failure");
        gauge(REQUESTS_RUNNING, "Outputs that take part in steps.", EngineLoad::running);
        gauge(REQUESTS_WAITING, "Outputs that wait to start.", EngineLoad::waiting);
        gauge(KV_CACHE_USAGE, "Share of KV blocks that sequences use, 0 to 1.", WorkerMetrics::usage);
        gauge(
                TOKENS_IN_FLIGHT,
                "Tokens known and to be computed; not what waiting requests will find in caches or pull.",
                EngineLoad::tokensInFlight);
        gauge(KV_BLOCKS_FREE, "KV blocks that no sequence uses, empty or cached.", EngineLoad::freeBlocks);
        gauge(KV_BLOCKS, "KV blocks.", EngineLoad::totalBlocks);
    }

    private CounterDataPoint counter(String name, String help) {
        return Counter.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .register(registry)
                .labelValues(model);
    }

    private Counter labelled(String name, String help, String label) {
        return Counter.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME, label)
                .register(registry);
    }

    private DistributionDataPoint histogram(String name, String help, double[] buckets) {
        return Histogram.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .classicOnly()
                .classicUpperBounds(buckets)
                .register(registry)
                .labelValues(model);
    }

    private void gauge(String name, String help, ToDoubleFunction<EngineLoad> value) {
        GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .callback(callback -> callback.call(value.applyAsDouble(load.get()), model))
                .register(registry);
    }

    private static double usage(EngineLoad load) {
        return load.totalBlocks() == 0 ? 0 : 1 - (double) load.freeBlocks() / load.totalBlocks();
    }

    @Override
    public void loaded(EngineLoad now) {
        load.set(now);
    }

    @Override
    public void started(long queueNanos, int promptCount, int cachedTokens) {
        queueTime.observe(queueNanos * 1e-9);
        promptTokens.inc(promptCount);
        prefixCacheQueries.inc(promptCount);
        prefixCacheHits.inc(cachedTokens);
    }

    @Override
    public void resumed(int knownTokens, int cachedTokens) {
        resumedTokens.inc(knownTokens);
        recomputedTokens.inc(knownTokens - cachedTokens);
    }

    @Override
    public void stepped(int tokens, int generatedTokens, int preemptionCount) {
        iterationTokens.observe(tokens);
        generationTokens.inc(generatedTokens);
        preemptions.inc(preemptionCount);
    }

    @Override
    public void finished(FinishReason reason, int promptCount, int generatedTokens) {
        finished.labelValues(model, label(reason)).inc();
    }

    @Override
    public void failed(FailureKind kind) {
        failed.labelValues(model, label(kind)).inc();
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
