package dev.kvasir.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Two runs against each other: for each latency the ratio of the medians, second by first, with a 95 % bootstrap
 * confidence interval over requests. Where both runs asked the same questions, requests are drawn in pairs, which takes
 * the spread between questions out of the interval.
 */
public final class Comparison {
    private static final int RESAMPLES = 2_000;
    private static final double CONFIDENCE = 95;

    private Comparison() {}

    /** Ratio of the medians with its interval; NaN where a run has no figures. */
    public record Ratio(String name, double first, double second, double ratio, double low, double high) {
        /** The interval excludes 1. */
        boolean differs() {
            return low > 1 || high < 1;
        }
    }

    /** Ratios of all latencies, per request: TTFT, mean ITL as TPOT, end to end. */
    public static List<Ratio> latencies(ResultFile.Recorded first, ResultFile.Recorded second, long seed) {
        boolean paired = paired(first, second);
        var ratios = new ArrayList<Ratio>();
        ratios.add(ratio("TTFT", first, second, RequestResult::ttftMillis, paired, seed));
        ratios.add(ratio("TPOT", first, second, RequestResult::tpotMillis, paired, seed));
        ratios.add(ratio("E2E", first, second, RequestResult::endToEndMillis, paired, seed));
        return ratios;
    }

    /** Both runs asked the same questions. */
    public static boolean paired(ResultFile.Recorded first, ResultFile.Recorded second) {
        return first.workload().equals(second.workload())
                && first.results().size() == second.results().size();
    }

    static List<String> lines(ResultFile.Recorded first, ResultFile.Recorded second, long seed) {
        var lines = new ArrayList<String>();
        lines.add("A  " + first.name());
        lines.add("B  " + second.name());
        lines.add(
                paired(first, second)
                        ? "Same workload: requests are compared in pairs."
                        : "Different workloads: requests are drawn independently.");
        lines.add("");
        lines.add("                            A          B        B/A   95 % interval");
        for (var ratio : latencies(first, second, seed)) {
            lines.add(String.format(
                    Locale.ROOT,
                    "%-16s %12s %10s %10s   %s .. %s%s",
                    ratio.name() + " p50 (ms)",
                    SummaryTable.number(ratio.first()),
                    SummaryTable.number(ratio.second()),
                    ratioText(ratio.ratio()),
                    ratioText(ratio.low()),
                    ratioText(ratio.high()),
                    ratio.differs() ? "" : "   (no difference shown)"));
        }
        var a = Summary.of(first.results(), first.serviceLevel());
        var b = Summary.of(second.results(), second.serviceLevel());
        lines.add(single("output tokens/s", a.outputTokensPerSecond(), b.outputTokensPerSecond()));
        lines.add(single("requests/s", a.requestsPerSecond(), b.requestsPerSecond()));
        lines.add(single("good requests/s", a.goodRequestsPerSecond(), b.goodRequestsPerSecond()));
        lines.add(single("prefix hit rate", a.cachedShare(), b.cachedShare()));
        lines.add(single("failed requests", a.requests() - a.succeeded(), b.requests() - b.succeeded()));
        return lines;
    }

    private static String single(String name, double a, double b) {
        return String.format(
                Locale.ROOT,
                "%-16s %12s %10s %10s",
                name,
                SummaryTable.number(a),
                SummaryTable.number(b),
                ratioText(b / a));
    }

    private static String ratioText(double ratio) {
        return Double.isFinite(ratio) ? String.format(Locale.ROOT, "%.3f", ratio) : "–";
    }

    private static Ratio ratio(
            String name,
            ResultFile.Recorded first,
            ResultFile.Recorded second,
            ToDoubleFunction<RequestResult> value,
            boolean paired,
            long seed) {
        var a = values(first, value);
        var b = values(second, value);
        if (paired) {
            var both = bothKnown(a, b);
            return bootstrap(name, pick(a, both), pick(b, both), true, seed);
        }
        return bootstrap(name, known(a), known(b), false, seed);
    }

    /** The percentile bootstrap (Efron 1979). */
    static Ratio bootstrap(String name, double[] a, double[] b, boolean paired, long seed) {
        double medianA = Distribution.of(a).median();
        double medianB = Distribution.of(b).median();
        if (a.length == 0 || b.length == 0) {
            return new Ratio(name, medianA, medianB, Double.NaN, Double.NaN, Double.NaN);
        }
        var random = new SplittableRandom(seed);
        var ratios = new double[RESAMPLES];
        var drawnA = new double[a.length];
        var drawnB = new double[b.length];
        for (int i = 0; i < RESAMPLES; i++) {
            for (int k = 0; k < a.length; k++) {
                int index = random.nextInt(a.length);
                drawnA[k] = a[index];
                if (paired) {
                    drawnB[k] = b[index];
                }
            }
            if (!paired) {
                Arrays.setAll(drawnB, _ -> b[random.nextInt(b.length)]);
            }
            ratios[i] =
                    Distribution.of(drawnB).median() / Distribution.of(drawnA).median();
        }
        var spread = Distribution.of(ratios);
        double tail = (100 - CONFIDENCE) / 2;
        return new Ratio(
                name, medianA, medianB, medianB / medianA, spread.percentile(tail), spread.percentile(100 - tail));
    }

    private static double[] values(ResultFile.Recorded run, ToDoubleFunction<RequestResult> value) {
        return run.results().stream()
                .mapToDouble(result -> result.succeeded() ? value.applyAsDouble(result) : Double.NaN)
                .toArray();
    }

    private static double[] known(double[] values) {
        return Arrays.stream(values).filter(value -> !Double.isNaN(value)).toArray();
    }

    private static int[] bothKnown(double[] a, double[] b) {
        return IntStream.range(0, a.length)
                .filter(i -> !Double.isNaN(a[i]) && !Double.isNaN(b[i]))
                .toArray();
    }

    private static double[] pick(double[] values, int[] indices) {
        return Arrays.stream(indices).mapToDouble(i -> values[i]).toArray();
    }
}
