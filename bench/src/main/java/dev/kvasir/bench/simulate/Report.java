package dev.kvasir.bench.simulate;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.bench.BenchException;
import dev.kvasir.bench.ServiceLevel;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What simulations have shown, as a table and as JSON.
 *
 * @param title of the trace and the workers
 * @param serviceLevel that goodput counts
 */
record Report(String title, String serviceLevel, List<Row> rows) {
    private static final ObjectMapper JSON = new ObjectMapper();

    Report {
        rows = List.copyOf(rows);
    }

    /**
     * One simulation.
     *
     * @param cachePercent of the whole cluster, of the trace's different blocks
     * @param pooledHitRate of one cache as large as all together
     * @param imbalance work of the busiest worker over the mean
     */
    record Row(
            int workers,
            double cachePercent,
            int blocksPerWorker,
            String policy,
            double pooledHitRate,
            double hitRate,
            double imbalance,
            double ttftMedianMillis,
            double ttftP99Millis,
            double tpotMeanMillis,
            double goodputPerSecond) {
        static Row of(
                int workers,
                double cachePercent,
                int blocksPerWorker,
                String policy,
                double pooledHitRate,
                Outcome outcome,
                ServiceLevel level) {
            return new Row(
                    workers,
                    cachePercent,
                    blocksPerWorker,
                    policy,
                    pooledHitRate,
                    outcome.hitRate(),
                    outcome.imbalance(),
                    outcome.ttftMillis().median(),
                    outcome.ttftMillis().percentile(99),
                    outcome.tpotMillis().mean(),
                    outcome.goodput(level.ttftMillis(), level.tpotMillis()));
        }

        double shareOfPooled() {
            return pooledHitRate == 0 ? 1 : hitRate / pooledHitRate;
        }
    }

    /** A table that is Markdown, too. */
    List<String> lines() {
        var lines = new ArrayList<String>();
        lines.add(
                "| cache %  | workers | blocks each | policy           | hit %  | of pooled % | max/mean work | TTFT p50 ms | p99 ms | TPOT ms | good/s |");
        lines.add(
                "|---------:|--------:|------------:|------------------|-------:|------------:|--------------:|------------:|-------:|--------:|-------:|");
        var last = "";
        for (var row : rows) {
            var group = "| %8s | %7d | %11d |".formatted(number(row.cachePercent), row.workers, row.blocksPerWorker);
            if (!group.equals(last)) {
                lines.add(String.format(
                        Locale.ROOT,
                        "%s %-16s | %6.2f | %11s | %13s | %11s | %6s | %7s | %6s |",
                        group,
                        "(pooled)",
                        100 * row.pooledHitRate,
                        "",
                        "",
                        "",
                        "",
                        "",
                        ""));
                last = group;
            }
            lines.add(String.format(
                    Locale.ROOT,
                    "%s %-16s | %6.2f | %11.2f | %13.3f | %11.0f | %6.0f | %7.1f | %6.2f |",
                    group,
                    row.policy,
                    100 * row.hitRate,
                    100 * row.shareOfPooled(),
                    row.imbalance,
                    row.ttftMedianMillis,
                    row.ttftP99Millis,
                    row.tpotMeanMillis,
                    row.goodputPerSecond));
        }
        return lines;
    }

    void write(Path file) {
        var root = JSON.createObjectNode();
        root.put("format", 1).put("title", title).put("goodput", serviceLevel);
        var array = root.putArray("simulations");
        for (var row : rows) {
            array.addObject()
                    .put("workers", row.workers)
                    .put("cache_percent", row.cachePercent)
                    .put("blocks_per_worker", row.blocksPerWorker)
                    .put("policy", row.policy)
                    .put("pooled_hit_rate", row.pooledHitRate)
                    .put("hit_rate", row.hitRate)
                    .put("max_over_mean_work", row.imbalance)
                    .put("ttft_median_ms", row.ttftMedianMillis)
                    .put("ttft_p99_ms", row.ttftP99Millis)
                    .put("tpot_mean_ms", row.tpotMeanMillis)
                    .put("good_requests_per_second", row.goodputPerSecond);
        }
        try {
            if (file.toAbsolutePath().getParent() != null) {
                Files.createDirectories(file.toAbsolutePath().getParent());
            }
            Files.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
        } catch (IOException e) {
            throw new BenchException("cannot write " + file + ": " + e.getMessage(), e);
        }
    }

    /** Without the noise of binary fractions. */
    static String number(double value) {
        return BigDecimal.valueOf(value)
                .round(new MathContext(6))
                .stripTrailingZeros()
                .toPlainString();
    }
}
