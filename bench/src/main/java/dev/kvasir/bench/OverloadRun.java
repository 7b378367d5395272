package dev.kvasir.bench;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;

/**
 * What a server does when it is asked for more than it can: its capacity in a closed loop, its goodput in open loops up to
 * that, and its goodput at a multiple of it. Each open loop lasts about as long as the closed one.
 */
final class OverloadRun {
    private static final List<Double> UP_TO_PEAK = List.of(0.6, 0.8, 1.0);
    private static final String ROW = "%-22s %10s %10s %10s %10s %12s %12s%n";

    private final Target target;
    private final Workload workload;
    private final Schedule.Closed streams;
    private final ServiceLevel level;
    private final double factor;

    OverloadRun(Target target, Workload workload, Schedule.Closed streams, ServiceLevel level, double factor) {
        this.target = target;
        this.workload = workload;
        this.streams = streams;
        this.level = level;
        this.factor = factor;
    }

    void run(PrintWriter out) throws InterruptedException {
        out.printf(
                "Overload of %s at %s, good means %s, seed %d%n",
                target.model(), target.server().url(), level, workload.seed());
        out.printf(ROW, "load", "sent/s", "answered/s", "good/s", "refused", "TTFT p50", "TTFT p99");
        double capacity = row(out, streams.toString(), workload, streams).requestsPerSecond();
        double peak = 0;
        for (double load : UP_TO_PEAK) {
            peak = Math.max(peak, openLoop(out, load, capacity).goodRequestsPerSecond());
        }
        double over = openLoop(out, factor, capacity).goodRequestsPerSecond();
        out.printf(
                "Goodput at %s times the capacity is %.1f %% of its peak%n",
                SummaryTable.number(factor), 100 * over / peak);
        out.flush();
    }

    private Summary openLoop(PrintWriter out, double load, double capacity) throws InterruptedException {
        int count = Math.clamp(Math.round(workload.count() * load), 1, Workload.COUNT_MAX);
        var schedule = new Schedule.Open(load * capacity, 1, Schedule.IN_FLIGHT_MAX);
        return row(out, SummaryTable.number(load) + " x capacity", workload.ofCount(count), schedule);
    }

    private Summary row(PrintWriter out, String title, Workload asked, Schedule schedule) throws InterruptedException {
        List<RequestResult> results;
        try (var progress = Progress.count(title, asked.count())) {
            results = LoadGenerator.run(target, asked, schedule, progress);
        }
        var summary = Summary.of(results, level);
        var ttft = summary.latencies().get(Metric.TTFT);
        long refused = summary.failures().entrySet().stream()
                .filter(failure -> failure.getKey().contains("429"))
                .mapToLong(Map.Entry::getValue)
                .sum();
        out.printf(
                ROW,
                title,
                figure(summary.requests() / summary.durationSeconds()),
                figure(summary.requestsPerSecond()),
                figure(summary.goodRequestsPerSecond()),
                refused,
                ttft == null ? "" : figure(ttft.median()),
                ttft == null ? "" : figure(ttft.percentile(99)));
        out.flush();
        return summary;
    }

    private static String figure(double value) {
        return "%.2f".formatted(value);
    }
}
