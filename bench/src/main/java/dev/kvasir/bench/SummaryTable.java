package dev.kvasir.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A summary as lines for a terminal. */
final class SummaryTable {
    static final double[] PERCENTILES = {50, 90, 95, 99};

    private SummaryTable() {}

    static List<String> lines(Summary summary, ServiceLevel serviceLevel) {
        var lines = new ArrayList<String>();
        lines.add(row(
                "Requests",
                "%d of %d succeeded in %s s"
                        .formatted(summary.succeeded(), summary.requests(), number(summary.durationSeconds()))));
        summary.failures().forEach((kind, count) -> lines.add(row("  failed", count + " × " + kind)));
        lines.add(row("Request rate", number(summary.requestsPerSecond()) + " /s"));
        if (!serviceLevel.isNone()) {
            lines.add(row(
                    "Goodput",
                    "%s /s, %s of all requests within %s"
                            .formatted(
                                    number(summary.goodRequestsPerSecond()),
                                    percent((double) summary.goodRequests() / summary.requests()),
                                    serviceLevel)));
        }
        lines.add(row(
                "Throughput",
                "%s output, %s input, %s total tokens/s"
                        .formatted(
                                number(summary.outputTokensPerSecond()),
                                number(summary.inputTokensPerSecond()),
                                number(summary.totalTokensPerSecond()))));
        lines.add(row("Tokens", "%d output, %d input".formatted(summary.outputTokens(), summary.inputTokens())));
        lines.add(row(
                "Prefix hit rate",
                Double.isNaN(summary.cachedShare())
                        ? "not reported by the server"
                        : percent(summary.cachedShare()) + " of prompt tokens"));
        if (summary.repeatedTtft().count() > 0 && summary.firstTtft().count() > 0) {
            lines.add(row(
                    "TTFT by prefix",
                    "first %s ms, repeated %s ms (medians): %s times lower"
                            .formatted(
                                    number(summary.firstTtft().median()),
                                    number(summary.repeatedTtft().median()),
                                    number(summary.firstTtft().median()
                                            / summary.repeatedTtft().median()))));
        }
        lines.add("");
        lines.add("milliseconds      count       mean        p50        p90        p95        p99        max");
        summary.latencies().forEach((metric, values) -> lines.add(latencies(metric, values)));
        return lines;
    }

    private static String row(String name, String value) {
        return String.format(Locale.ROOT, "%-16s %s", name, value);
    }

    private static String latencies(Metric metric, Distribution values) {
        var line = new StringBuilder(String.format(
                Locale.ROOT, "%-12s %10d %10s", metric.shortName(), values.count(), number(values.mean())));
        for (double percentile : PERCENTILES) {
            line.append(String.format(Locale.ROOT, " %10s", number(values.percentile(percentile))));
        }
        return line.append(String.format(Locale.ROOT, " %10s", number(values.max())))
                .toString();
    }

    private static String percent(double share) {
        return Double.isNaN(share) ? "–" : String.format(Locale.ROOT, "%.1f %%", share * 100);
    }

    /** Three significant digits at least, no exponent: {@code 0.0123}, {@code 1.23}, {@code 12.3}, {@code 1234}. */
    static String number(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return "–";
        }
        double size = Math.abs(value);
        if (value == Math.rint(value) && size < 1e9) {
            return Long.toString((long) value);
        }
        int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4;
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }
}
