package dev.kvasir.bench.simulate;

import dev.kvasir.bench.BenchException;
import dev.kvasir.bench.Svg;
import dev.kvasir.bench.Svg.Anchor;
import dev.kvasir.bench.simulate.Report.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Draws a report: a column of panels for each cache size; above, the hit rate as a share of one pooled cache's, below, how much
 * more than the mean the busiest worker computes; over the number of workers, a line for each policy.
 */
final class ReportPlot {
    private static final int PANEL_WIDTH = 250;
    private static final int PANEL_HEIGHT = 190;
    private static final int LEFT = 60;
    private static final int GAP = 55;
    private static final int TOP = 120;
    private static final int STYLES = 6;
    private static final double IMBALANCE_MAX = 3;

    private final Report report;
    private final List<Double> caches;
    private final List<Integer> workers;
    private final List<String> policies;
    private final Svg svg;

    private ReportPlot(Report report) {
        this.report = report;
        this.caches = report.rows().stream().map(Row::cachePercent).distinct().toList();
        this.workers =
                report.rows().stream().map(Row::workers).distinct().sorted().toList();
        this.policies = report.rows().stream().map(Row::series).distinct().toList();
        this.svg =
                new Svg(Math.max(880, LEFT + caches.size() * (PANEL_WIDTH + GAP)), TOP + 2 * (PANEL_HEIGHT + GAP) + 30);
    }

    static void write(Path file, Report report) {
        try {
            Files.writeString(file, draw(report));
        } catch (IOException e) {
            throw new BenchException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    static String draw(Report report) {
        var plot = new ReportPlot(report);
        plot.svg.text("title", LEFT, 32, Anchor.START, "Placement policies, simulated");
        plot.svg.text("faint", LEFT, 52, Anchor.START, report.title());
        plot.legend();
        for (int i = 0; i < plot.caches.size(); i++) {
            double x = LEFT + i * (PANEL_WIDTH + GAP);
            plot.panel(i, x, TOP, "Hit rate, %% of pooled; cache %s %%", 0, 100, 20, r -> 100 * r.shareOfPooled());
            plot.panel(
                    i,
                    x,
                    TOP + PANEL_HEIGHT + GAP,
                    "Busiest worker over mean; cache %s %%",
                    1,
                    IMBALANCE_MAX,
                    0.5,
                    Row::imbalance);
        }
        return plot.svg.toString();
    }

    private void legend() {
        for (int i = 0; i < policies.size(); i++) {
            double x = LEFT + i * 135;
            svg.line("line" + i % STYLES, x, 78, x + 22, 78);
            svg.text("", x + 28, 82, Anchor.START, policies.get(i));
        }
    }

    private void panel(
            int cache,
            double x,
            double y,
            String title,
            double min,
            double max,
            double tick,
            ToDoubleFunction<Row> value) {
        svg.text("panel", x, y - 10, Anchor.START, title.formatted(Report.number(caches.get(cache))));
        for (double mark = min; mark <= max + 1e-9; mark += tick) {
            double height = up(y, mark, min, max);
            svg.line("grid", x, height, x + PANEL_WIDTH, height);
            svg.text("faint", x - 8, height + 4, Anchor.END, Report.number(mark));
        }
        for (int i = 0; i < workers.size(); i++) {
            svg.text("faint", across(x, i), y + PANEL_HEIGHT + 17, Anchor.MIDDLE, workers.get(i) + " workers");
        }
        for (int p = 0; p < policies.size(); p++) {
            var policy = policies.get(p);
            var rows = report.rows().stream()
                    .filter(r -> r.series().equals(policy) && r.cachePercent() == caches.get(cache))
                    .toList();
            double[] xs = rows.stream()
                    .mapToDouble(r -> across(x, workers.indexOf(r.workers())))
                    .toArray();
            double[] ys = rows.stream()
                    .mapToDouble(r -> up(y, value.applyAsDouble(r), min, max))
                    .toArray();
            svg.path("line" + p % STYLES, xs, ys, false);
            for (int i = 0; i < xs.length; i++) {
                svg.dot("dot" + p % STYLES, xs[i], ys[i]);
            }
        }
    }

    private double across(double x, int index) {
        return x + PANEL_WIDTH * (index + 0.5) / workers.size();
    }

    /** What is beyond the scale lies on its edge. */
    private static double up(double y, double value, double min, double max) {
        return y + PANEL_HEIGHT * (1 - Math.clamp((value - min) / (max - min), 0, 1));
    }
}
