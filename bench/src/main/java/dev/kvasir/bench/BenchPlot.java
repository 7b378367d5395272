package dev.kvasir.bench;

import dev.kvasir.bench.Svg.Anchor;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.IntStream;

/** Draws a run: how TTFT, ITL and end-to-end latency are distributed, and throughput over time. */
public final class BenchPlot {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 700;
    private static final int CURVE_POINTS = 400;
    private static final int SPANS = 60;
    private static final double[] MARKS = {50, 90, 99};

    private final Svg svg = new Svg(WIDTH, HEIGHT);

    private BenchPlot() {}

    public static void write(Path file, BenchRun run) {
        try {
            Files.writeString(file, draw(run));
        } catch (IOException e) {
            throw new BenchException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    static String draw(BenchRun run) {
        var plot = new BenchPlot();
        plot.header(run);
        var latencies = run.summary().latencies();
        var panels = new Frame[] {
            new Frame(70, 120, 390, 200), new Frame(550, 120, 390, 200),
            new Frame(70, 430, 390, 200), new Frame(550, 430, 390, 200)
        };
        var metrics = new Metric[] {Metric.TTFT, Metric.ITL, Metric.E2E};
        for (int i = 0; i < metrics.length; i++) {
            plot.distribution(panels[i], metrics[i].title(), latencies.getOrDefault(metrics[i], Distribution.of()));
        }
        plot.timeline(panels[3], Timeline.of(run.results(), SPANS));
        return plot.svg.toString();
    }

    /** The rectangle between the axes. */
    private record Frame(double x, double y, double width, double height) {
        double at(Axis axis, double value) {
            return x + axis.position(value) * width;
        }

        double up(Axis axis, double value) {
            return y + (1 - axis.position(value)) * height;
        }
    }

    private void header(BenchRun run) {
        var summary = run.summary();
        svg.text("title", 30, 40, Anchor.START, run.target().model() + " · " + run.schedule());
        svg.text(
                "faint",
                30,
                62,
                Anchor.START,
                "%d of %d requests · input %s, output %s tokens%s · %s output tokens/s · %s requests/s · prefix hit rate %s"
                        .formatted(
                                summary.succeeded(),
                                summary.requests(),
                                run.workload().input(),
                                run.workload().output(),
                                run.workload().prefixGroups() > 0
                                        ? ", %d shared prefixes of %d"
                                                .formatted(
                                                        run.workload().prefixGroups(),
                                                        run.workload().prefixLength())
                                        : "",
                                SummaryTable.number(summary.outputTokensPerSecond()),
                                SummaryTable.number(summary.requestsPerSecond()),
                                Double.isNaN(summary.cachedShare())
                                        ? "not reported"
                                        : String.format(Locale.ROOT, "%.1f %%", summary.cachedShare() * 100)));
    }

    /** The share of samples up to each value, with the percentiles people ask for. */
    private void distribution(Frame frame, String title, Distribution millis) {
        svg.text("panel", frame.x(), frame.y() - 16, Anchor.START, title);
        if (millis.count() == 0) {
            svg.text(
                    "faint",
                    frame.x() + frame.width() / 2,
                    frame.y() + frame.height() / 2,
                    Anchor.MIDDLE,
                    "no samples");
            return;
        }
        boolean seconds = millis.max() >= 10_000;
        var values = seconds ? millis.scaled(1e-3) : millis;
        var across = Axis.forLatencies(values);
        var up = new Axis(0, 100, false);
        axes(frame, across, up, seconds ? "seconds" : "milliseconds", "% of samples");
        var percents = IntStream.rangeClosed(0, CURVE_POINTS)
                .mapToDouble(i -> 100.0 * i / CURVE_POINTS)
                .toArray();
        svg.path(
                "line",
                Arrays.stream(percents)
                        .map(p -> frame.at(across, values.percentile(p)))
                        .toArray(),
                Arrays.stream(percents).map(p -> frame.up(up, p)).toArray(),
                false);
        for (double mark : MARKS) {
            double x = frame.at(across, values.percentile(mark));
            double y = frame.up(up, mark);
            boolean right = x > frame.x() + frame.width() * 0.75;
            svg.dot(x, y);
            svg.text(
                    "",
                    x + (right ? -9 : 9),
                    y + (right ? -3 : 14),
                    right ? Anchor.END : Anchor.START,
                    "p%d  %s".formatted((int) mark, SummaryTable.number(values.percentile(mark))));
        }
    }

    private void timeline(Frame frame, Timeline timeline) {
        svg.text("panel first", frame.x(), frame.y() - 16, Anchor.START, "Output tokens/s");
        svg.text("panel second", frame.x() + frame.width(), frame.y() - 16, Anchor.END, "Requests in flight");
        double[] rates = timeline.outputTokensPerSecond();
        var across = new Axis(0, Math.max(1e-9, rates.length * timeline.spanSeconds()), false);
        var up = Axis.fromZero(Arrays.stream(rates).max().orElse(0));
        var other = Axis.fromZero(Arrays.stream(timeline.inFlight()).max().orElse(0));
        axes(frame, across, up, "seconds since the start", "");
        for (double tick : other.ticks()) {
            svg.text(
                    "faint second",
                    frame.x() + frame.width() + 8,
                    frame.up(other, tick) + 4,
                    Anchor.START,
                    label(tick));
        }
        var middles = IntStream.range(0, rates.length)
                .mapToDouble(i -> frame.at(across, (i + 0.5) * timeline.spanSeconds()))
                .toArray();
        var heights = Arrays.stream(rates).map(rate -> frame.up(up, rate)).toArray();
        svg.path(
                "area",
                closed(middles, middles[0], middles[middles.length - 1]),
                closed(heights, frame.y() + frame.height(), frame.y() + frame.height()),
                true);
        svg.path("line", middles, heights, false);
        svg.path(
                "other",
                middles,
                Arrays.stream(timeline.inFlight())
                        .map(count -> frame.up(other, count))
                        .toArray(),
                false);
    }

    /** The points with one more before and one after. */
    private static double[] closed(double[] points, double before, double after) {
        var all = new double[points.length + 2];
        System.arraycopy(points, 0, all, 1, points.length);
        all[0] = before;
        all[all.length - 1] = after;
        return all;
    }

    private void axes(Frame frame, Axis across, Axis up, String acrossUnit, String upUnit) {
        double bottom = frame.y() + frame.height();
        for (double tick : up.ticks()) {
            double y = frame.up(up, tick);
            svg.line("grid", frame.x(), y, frame.x() + frame.width(), y);
            svg.text("faint", frame.x() - 8, y + 4, Anchor.END, label(tick));
        }
        for (double tick : across.ticks()) {
            double x = frame.at(across, tick);
            svg.line("grid", x, frame.y(), x, bottom);
            svg.text("faint", x, bottom + 17, Anchor.MIDDLE, label(tick));
        }
        svg.line("axis", frame.x(), bottom, frame.x() + frame.width(), bottom);
        svg.text(
                "faint",
                frame.x() + frame.width() / 2,
                bottom + 36,
                Anchor.MIDDLE,
                acrossUnit + (across.logarithmic() ? " (logarithmic)" : ""));
        if (!upUnit.isEmpty()) {
            svg.text("faint", frame.x() + frame.width(), frame.y() - 16, Anchor.END, upUnit);
        }
    }

    /** A tick's value without the noise of binary fractions. */
    private static String label(double value) {
        return BigDecimal.valueOf(value)
                .round(new MathContext(6))
                .stripTrailingZeros()
                .toPlainString();
    }
}
