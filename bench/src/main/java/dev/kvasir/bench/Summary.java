package dev.kvasir.bench;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * A run in a few figures. Tokens and latencies are those of requests that succeeded; the duration runs from the first
 * request due to the last stream's end.
 *
 * @param failures count by kind
 * @param cachedShare share of prompt tokens that the server found cached; NaN where it does not say
 * @param goodRequests requests that kept the service level
 * @param firstTtft TTFT of requests that were first with their prefix, empty where no prefix is shared
 * @param repeatedTtft TTFT of the later ones
 */
public record Summary(
        int requests,
        int succeeded,
        Map<String, Long> failures,
        double durationSeconds,
        long inputTokens,
        long outputTokens,
        double cachedShare,
        int goodRequests,
        Map<Metric, Distribution> latencies,
        Distribution firstTtft,
        Distribution repeatedTtft) {

    public static Summary of(List<RequestResult> results, ServiceLevel serviceLevel) {
        var succeeded = results.stream().filter(RequestResult::succeeded).toList();
        long start =
                results.stream().mapToLong(RequestResult::intendedNanos).min().orElse(0);
        long end = results.stream().mapToLong(RequestResult::endNanos).max().orElse(0);
        var latencies = new EnumMap<Metric, Distribution>(Metric.class);
        for (var metric : Metric.values()) {
            latencies.put(metric, metric.over(results));
        }
        return new Summary(
                results.size(),
                succeeded.size(),
                failures(results),
                (end - start) / 1e9,
                succeeded.stream().mapToLong(RequestResult::inputTokens).sum(),
                succeeded.stream().mapToLong(RequestResult::outputTokens).sum(),
                cachedShare(succeeded),
                (int) results.stream().filter(serviceLevel::keptBy).count(),
                latencies,
                Metric.TTFT.over(results.stream()
                        .filter(r -> r.group() >= 0 && !r.repeated())
                        .toList()),
                Metric.TTFT.over(results.stream()
                        .filter(r -> r.group() >= 0 && r.repeated())
                        .toList()));
    }

    private static Map<String, Long> failures(List<RequestResult> results) {
        var counts = new TreeMap<String, Long>();
        for (var result : results) {
            if (result.failure() != null) {
                counts.merge(result.failure().kind(), 1L, Long::sum);
            }
        }
        return counts;
    }

    private static double cachedShare(List<RequestResult> succeeded) {
        var told = succeeded.stream()
                .filter(result -> result.cachedTokens() >= 0 && result.promptTokens() > 0)
                .collect(Collectors.teeing(
                        Collectors.summingLong(RequestResult::cachedTokens),
                        Collectors.summingLong(RequestResult::promptTokens),
                        (cached, prompt) -> (double) cached / prompt));
        return told;
    }

    public double requestsPerSecond() {
        return succeeded / durationSeconds;
    }

    public double goodRequestsPerSecond() {
        return goodRequests / durationSeconds;
    }

    public double inputTokensPerSecond() {
        return inputTokens / durationSeconds;
    }

    public double outputTokensPerSecond() {
        return outputTokens / durationSeconds;
    }

    public double totalTokensPerSecond() {
        return (inputTokens + outputTokens) / durationSeconds;
    }
}
