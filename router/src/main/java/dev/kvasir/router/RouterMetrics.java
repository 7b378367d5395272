package dev.kvasir.router;

import dev.kvasir.model.tokenizer.Tokenizer.Reuse;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.ToLongFunction;

/**
 * What a router measures of the requests it answers. Names and buckets are vLLM's where the meaning is the same, so that
 * its dashboards work; our own begin with {@code kvasir:}. All intervals are of one process's monotonic clock.
 */
public final class RouterMetrics {
    public static final String TIME_TO_FIRST_TOKEN = "vllm:time_to_first_token_seconds";
    public static final String INTER_TOKEN_LATENCY = "vllm:inter_token_latency_seconds";
    public static final String E2E_REQUEST_LATENCY = "vllm:e2e_request_latency_seconds";
    public static final String REQUEST_SUCCESS = "vllm:request_success";
    public static final String REQUEST_PROMPT_TOKENS = "vllm:request_prompt_tokens";
    public static final String REQUEST_GENERATION_TOKENS = "vllm:request_generation_tokens";
    public static final String REQUEST_MAX_TOKENS = "vllm:request_params_max_tokens";
    public static final String REQUEST_N = "vllm:request_params_n";
    public static final String REQUESTS_OPEN = "kvasir:router_requests_open";
    public static final String REQUESTS_FAILED = "kvasir:router_requests_failed";

    public static final String TEXT_CACHE_QUERIES = "kvasir:router_text_cache_queries";
    public static final String TEXT_CACHE_HITS = "kvasir:router_text_cache_hits";

    private static final String MODEL_NAME = "model_name";
    private static final String FINISHED_REASON = "finished_reason";
    private static final String FAILURE = "failure";
    private static final double NANOS = 1e-9;
    private static final double[] TTFT_SECONDS = {
        .001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560
    };
    private static final double[] ITL_SECONDS = {
        .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80
    };
    private static final double[] E2E_SECONDS = {
        .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680
    };
    private static final double[] N_BUCKETS = {1, 2, 5, 10, 20};

    private final Histogram timeToFirstToken;
    private final Histogram interTokenLatency;
    private final Histogram e2eRequestLatency;
    private final Counter requestSuccess;
    private final Histogram promptTokens;
    private final Histogram generationTokens;
    private final Histogram maxTokens;
    private final Histogram outputs;
    private final Gauge requestsOpen;
    private final Counter requestsFailed;

    /** Registers all metrics; the longest context of the models bounds the buckets of token counts */
    public RouterMetrics(PrometheusRegistry registry, Collection<ServedModel> models) {
        int longest =
                models.stream().mapToInt(ServedModel::maxModelLength).max().orElse(1);
        double[] counts = countBuckets(longest);
        timeToFirstToken = histogram(TIME_TO_FIRST_TOKEN, "From arrival to the first token.", TTFT_SECONDS, registry);
        interTokenLatency = histogram(INTER_TOKEN_LATENCY, "Between tokens of one output.", ITL_SECONDS, registry);
        e2eRequestLatency = histogram(E2E_REQUEST_LATENCY, "From arrival to the last token.", E2E_SECONDS, registry);
        promptTokens = histogram(REQUEST_PROMPT_TOKENS, "Prompt tokens of a request.", counts, registry);
        generationTokens = histogram(REQUEST_GENERATION_TOKENS, "Tokens generated for a request.", counts, registry);
        maxTokens = histogram(REQUEST_MAX_TOKENS, "max_tokens of a request.", counts, registry);
        outputs = histogram(REQUEST_N, "Outputs asked for by a request.", N_BUCKETS, registry);
        requestSuccess = Counter.builder()
                .name(REQUEST_SUCCESS)
                .help("Outputs that ended, by reason.")
                .labelNames(MODEL_NAME, FINISHED_REASON)
                .register(registry);
        requestsFailed = Counter.builder()
                .name(REQUESTS_FAILED)
                .help("Requests that were accepted and failed, by kind of failure.")
                .labelNames(MODEL_NAME, FAILURE)
                .register(registry);
        requestsOpen = Gauge.builder()
                .name(REQUESTS_OPEN)
                .help("Requests being answered.")
                .labelNames(MODEL_NAME)
                .register(registry);
        reuse(
                TEXT_CACHE_QUERIES,
                "Characters of prompts looked up in the text cache.",
                Reuse::looked,
                models,
                registry);
        reuse(TEXT_CACHE_HITS, "Characters whose tokens were found in the text cache.", Reuse::found, models, registry);
    }

    private static void reuse(
            String name,
            String help,
            ToLongFunction<Reuse> count,
            Collection<ServedModel> models,
            PrometheusRegistry registry) {
        CounterWithCallback.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .callback(to -> models.forEach(model -> to.call(
                        (double) count.applyAsLong(model.text().tokenizer().reuse()), model.name())))
                .register(registry);
    }

    private static Histogram histogram(String name, String help, double[] buckets, PrometheusRegistry registry) {
        return Histogram.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .classicOnly()
                .classicUpperBounds(buckets)
                .register(registry);
    }

    void opened(ValidRequest request) {
        var model = request.model().name();
        var sampling = request.generation().sampling();
        requestsOpen.labelValues(model).inc();
        maxTokens.labelValues(model).observe(sampling.maxTokens());
        outputs.labelValues(model).observe(sampling.n());
    }

    void closed(String model) {
        requestsOpen.labelValues(model).dec();
    }

    void firstToken(String model, long nanos) {
        timeToFirstToken.labelValues(model).observe(nanos * NANOS);
    }

    void nextToken(String model, long nanos) {
        interTokenLatency.labelValues(model).observe(nanos * NANOS);
    }

    void outputFinished(String model, FinishReason reason) {
        requestSuccess.labelValues(model, label(reason)).inc();
    }

    void completed(String model, OutputEvent.Usage usage, long nanos) {
        e2eRequestLatency.labelValues(model).observe(nanos * NANOS);
        promptTokens.labelValues(model).observe(usage.promptTokens());
        generationTokens.labelValues(model).observe(usage.completionTokens());
    }

    void failed(String model, FailureKind kind) {
        requestsFailed.labelValues(model, label(kind)).inc();
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** 1, 2, 5, 10, 20, 50, ... up to the first that is not below {@code max}. */
    static double[] countBuckets(int max) {
        var buckets = new ArrayList<Double>();
        for (long decade = 1; ; decade *= 10) {
            for (long step : List.of(1L, 2L, 5L)) {
                buckets.add((double) (decade * step));
                if (decade * step >= max) {
                    return buckets.stream().mapToDouble(Double::doubleValue).toArray();
                }
            }
        }
    }
}
