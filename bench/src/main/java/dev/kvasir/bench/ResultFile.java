package dev.kvasir.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A run as JSON: configuration, machine of the client, summary, and every request with raw times in nanoseconds since the
 * start of the run, so that any other figure can be computed later. Neither prompts nor keys are written; seed and
 * workload make the same prompts again.
 */
public final class ResultFile {
    private static final int FORMAT = 1;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectWriter WRITER = JSON.writerWithDefaultPrettyPrinter();

    private ResultFile() {}

    /** What a comparison needs of a file. */
    public record Recorded(String name, JsonNode workload, List<RequestResult> results, ServiceLevel serviceLevel) {
        public Recorded {
            results = List.copyOf(results);
        }
    }

    public static void write(Path file, BenchRun run) {
        try {
            if (file.toAbsolutePath().getParent() != null) {
                Files.createDirectories(file.toAbsolutePath().getParent());
            }
            Files.write(file, WRITER.writeValueAsBytes(toJson(run)));
        } catch (IOException e) {
            throw new BenchException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    public static Recorded read(Path file) {
        try {
            var root = JSON.readTree(file.toFile());
            if (root.path("format").asInt() != FORMAT || !root.path("requests").isArray()) {
                throw new BenchException("%s is not a result of 'kvasir bench': format is %s but must be %d"
                        .formatted(file, root.path("format"), FORMAT));
            }
            var results = new ArrayList<RequestResult>();
            root.path("requests").forEach(node -> results.add(request(node)));
            var level = root.path("config").path("goodput").asText("");
            return new Recorded(
                    file.toString(),
                    root.path("config").path("workload"),
                    results,
                    level.isEmpty() ? ServiceLevel.NONE : ServiceLevel.parse(level));
        } catch (IOException e) {
            throw new BenchException("cannot read " + file + ": " + e.getMessage(), e);
        }
    }

    static ObjectNode toJson(BenchRun run) {
        var root = JSON.createObjectNode()
                .put("format", FORMAT)
                .put("started", run.started().toString());
        root.putObject("client")
                .put("java", Runtime.version().toString())
                .put("processors", Runtime.getRuntime().availableProcessors());
        config(root.putObject("config"), run);
        summary(root.putObject("summary"), run.summary());
        var requests = root.putArray("requests");
        run.results().forEach(result -> request(requests.addObject(), result));
        return root;
    }

    private static void config(ObjectNode node, BenchRun run) {
        var target = run.target();
        node.put("url", target.server().url().toString())
                .put("model", target.model())
                .put("endpoint", target.chat() ? "chat" : "completions")
                .put("ignore_eos", target.ignoreEos())
                .put("temperature", target.temperature())
                .put("cache_salt", target.cacheSalt() != null)
                .put("timeout_seconds", target.timeout().toSeconds())
                .put("warm_up_requests", run.warmUpCount())
                .put("goodput", run.serviceLevel().toString());
        var schedule = node.putObject("schedule");
        switch (run.schedule()) {
            case Schedule.Closed(int concurrency) ->
                schedule.put("kind", "closed").put("concurrency", concurrency);
            case Schedule.Open(double rate, double burstiness, int inFlightMax) ->
                schedule.put("kind", "open")
                        .put("request_rate", rate)
                        .put("burstiness", burstiness)
                        .put("concurrency_max", inFlightMax);
        }
        var workload = run.workload();
        node.putObject("workload")
                .put("num_prompts", workload.count())
                .put("input_len", workload.input().toString())
                .put("output_len", workload.output().toString())
                .put("prefix_groups", workload.prefixGroups())
                .put("prefix_len", workload.prefixLength())
                .put("document_questions", workload.documentQuestions())
                .put("token_range", workload.tokens().toString())
                .put("text", workload.asText())
                .put("seed", workload.seed());
    }

    private static void summary(ObjectNode node, Summary summary) {
        node.put("requests", summary.requests()).put("succeeded", summary.succeeded());
        var failures = node.putObject("failures");
        summary.failures().forEach(failures::put);
        node.put("duration_seconds", summary.durationSeconds())
                .put("input_tokens", summary.inputTokens())
                .put("output_tokens", summary.outputTokens())
                .put("requests_per_second", summary.requestsPerSecond())
                .put("good_requests_per_second", summary.goodRequestsPerSecond())
                .put("input_tokens_per_second", summary.inputTokensPerSecond())
                .put("output_tokens_per_second", summary.outputTokensPerSecond())
                .put("total_tokens_per_second", summary.totalTokensPerSecond());
        putIfKnown(node, "prefix_hit_rate", summary.cachedShare());
        putIfKnown(node, "first_ttft_median_ms", summary.firstTtft().median());
        putIfKnown(node, "repeated_ttft_median_ms", summary.repeatedTtft().median());
        summary.latencies().forEach((metric, values) -> {
            var figures = node.putObject(metric.shortName().toLowerCase(Locale.ROOT) + "_ms");
            figures.put("count", values.count());
            putIfKnown(figures, "mean", values.mean());
            for (double percentile : SummaryTable.PERCENTILES) {
                putIfKnown(figures, "p" + (int) percentile, values.percentile(percentile));
            }
            putIfKnown(figures, "max", values.max());
        });
    }

    private static void putIfKnown(ObjectNode node, String name, double value) {
        if (!Double.isNaN(value)) {
            node.put(name, value);
        }
    }

    private static void request(ObjectNode node, RequestResult result) {
        node.put("index", result.index())
                .put("group", result.group())
                .put("repeated", result.repeated())
                .put("input_len", result.inputLength())
                .put("output_len", result.outputLength())
                .put("intended_ns", result.intendedNanos())
                .put("sent_ns", result.sentNanos())
                .put("end_ns", result.endNanos())
                .put("prompt_tokens", result.promptTokens())
                .put("cached_tokens", result.cachedTokens())
                .put("completion_tokens", result.completionTokens());
        var events = node.putArray("event_ns");
        for (long nanos : result.eventNanos()) {
            events.add(nanos);
        }
        if (result.failure() != null) {
            node.putObject("failure")
                    .put("kind", result.failure().kind())
                    .put("message", result.failure().message());
        }
    }

    private static RequestResult request(JsonNode node) {
        var failure = node.path("failure");
        return new RequestResult(
                node.path("index").asInt(),
                node.path("group").asInt(),
                node.path("repeated").asBoolean(),
                node.path("input_len").asInt(),
                node.path("output_len").asInt(),
                node.path("intended_ns").asLong(),
                node.path("sent_ns").asLong(),
                longs(node.path("event_ns")),
                node.path("end_ns").asLong(),
                node.path("prompt_tokens").asInt(-1),
                node.path("cached_tokens").asInt(-1),
                node.path("completion_tokens").asInt(-1),
                failureOf(failure));
    }

    private static @Nullable Failure failureOf(JsonNode node) {
        return node.isObject()
                ? new Failure(node.path("kind").asText(), node.path("message").asText())
                : null;
    }

    private static long[] longs(JsonNode node) {
        var values = new long[node instanceof ArrayNode array ? array.size() : 0];
        for (int i = 0; i < values.length; i++) {
            values[i] = node.get(i).asLong();
        }
        return values;
    }
}
