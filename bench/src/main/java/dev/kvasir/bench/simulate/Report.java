package dev.kvasir.bench.simulate;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
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
     * What one cache as large as all together would do.
     *
     * @param boundHitRate the same if no prompt's blocks were kept beyond what one worker has room for
     * @param balance how even its work could be
     */
    record Pooled(double hitRate, double boundHitRate, Trace.Balance balance) {}

    /**
     * One simulation.
     *
     * @param cachePercent of the whole cluster, of the trace's different blocks
     * @param storePercent of that, what is a kvstore's
     * @param imbalance work of the busiest worker over the mean
     */
    record Row(
            int workers,
            double cachePercent,
            double storePercent,
            Capacity capacity,
            String policy,
            Pooled pooled,
            double localRate,
            double pulledRate,
            double pulledBytes,
            double storedBytes,
            double imbalance,
            double ttftMedianMillis,
            double ttftP99Millis,
            double tpotMeanMillis,
            double goodputPerSecond) {
        static Row of(
                int workers,
                double cachePercent,
                double storePercent,
                Capacity capacity,
                String policy,
                Pooled pooled,
                Outcome outcome,
                ServiceLevel level) {
            return new Row(
                    workers,
                    cachePercent,
                    storePercent,
                    capacity,
                    policy,
                    pooled,
                    outcome.localRate(),
                    outcome.pulledRate(),
                    outcome.pulledBytes(),
                    outcome.storedBytes(),
                    outcome.imbalance(),
                    outcome.ttftMillis().median(),
                    outcome.ttftMillis().percentile(99),
                    outcome.tpotMillis().mean(),
                    outcome.goodput(level.ttftMillis(), level.tpotMillis()));
        }

        double hitRate() {
            return localRate + pulledRate;
        }

        double shareOfPooled() {
            return pooled.hitRate == 0 ? 1 : hitRate() / pooled.hitRate;
        }

        double shareOfBound() {
            return pooled.boundHitRate == 0 ? 1 : hitRate() / pooled.boundHitRate;
        }

        /** A line of a plot. */
        String series() {
            return storePercent == 0 ? policy : "%s, %s %% shared".formatted(policy, number(storePercent));
        }

        private String group() {
            return "| %7s | %7d | %8s | %6d |"
                    .formatted(number(cachePercent), workers, number(storePercent), capacity.deviceBlocks());
        }

        private String pooledLine() {
            return String.format(
                    Locale.ROOT,
                    "%s %-16s | %6.2f | %11s | %10.2f | %6s | %6s | %7s | %13.3f | %5.3f | %7s | %6s | %7s | %6s |",
                    group(),
                    "(pooled, greedy)",
                    100 * pooled.hitRate,
                    "",
                    100 * pooled.boundHitRate,
                    "",
                    "",
                    "",
                    pooled.balance.online(),
                    pooled.balance.offline(),
                    "",
                    "",
                    "",
                    "");
        }

        private String line() {
            return String.format(
                    Locale.ROOT,
                    "%s %-16s | %6.2f | %11.2f | %10.2f | %6.2f | %6.2f | %7.0f | %13.3f | %5.3f | %7.0f | %6.0f | %7.1f | %6.2f |",
                    group(),
                    policy,
                    100 * hitRate(),
                    100 * shareOfPooled(),
                    100 * shareOfBound(),
                    100 * localRate,
                    100 * pulledRate,
                    (pulledBytes + storedBytes) / 1e9,
                    imbalance,
                    pooled.balance.offline(),
                    ttftMedianMillis,
                    ttftP99Millis,
                    tpotMeanMillis,
                    goodputPerSecond);
        }

        private void write(ObjectNode node) {
            node.put("workers", workers)
                    .put("cache_percent", cachePercent)
                    .put("store_percent", storePercent)
                    .put("device_blocks_per_worker", capacity.deviceBlocks())
                    .put("host_blocks_per_worker", capacity.hostBlocks())
                    .put("store_blocks", capacity.storeBlocks())
                    .put("policy", policy)
                    .put("pooled_hit_rate", pooled.hitRate)
                    .put("bound_hit_rate", pooled.boundHitRate)
                    .put("greedy_max_over_mean_work", pooled.balance.online())
                    .put("offline_max_over_mean_work", pooled.balance.offline())
                    .put("hit_rate", hitRate())
                    .put("local_hit_rate", localRate)
                    .put("pulled_hit_rate", pulledRate)
                    .put("pulled_gigabytes", pulledBytes / 1e9)
                    .put("stored_gigabytes", storedBytes / 1e9)
                    .put("max_over_mean_work", imbalance)
                    .put("ttft_median_ms", ttftMedianMillis)
                    .put("ttft_p99_ms", ttftP99Millis)
                    .put("tpot_mean_ms", tpotMeanMillis)
                    .put("good_requests_per_second", goodputPerSecond);
        }
    }

    /** A table that is Markdown, too. */
    List<String> lines() {
        var lines = new ArrayList<String>();
        lines.add(
                "| cache % | workers | shared % | blocks | policy           |  hit % | of pooled % | of bound % | local% | pulled | GB"
                        + " moved | max/mean work | bound | TTFT 50 | p99 ms | TPOT ms | good/s |");
        lines.add(
                "|--------:|--------:|---------:|-------:|------------------|-------:|------------:|-----------:|-------:|-------:|---"
                        + "-----:|--------------:|------:|--------:|-------:|--------:|-------:|");
        var last = "";
        for (var row : rows) {
            if (!row.group().equals(last)) {
                lines.add(row.pooledLine());
                last = row.group();
            }
            lines.add(row.line());
        }
        return lines;
    }

    void write(Path file) {
        var root = JSON.createObjectNode();
        root.put("format", 2).put("title", title).put("goodput", serviceLevel);
        var array = root.putArray("simulations");
        rows.forEach(row -> row.write(array.addObject()));
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
