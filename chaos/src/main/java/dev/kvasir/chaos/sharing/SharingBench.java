package dev.kvasir.chaos.sharing;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.kvasir.chaos.sharing.Scenario.Samples;
import dev.kvasir.chaos.sharing.Scenario.Scale;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Plays scenarios, one after the other, and tells what came of them. */
final class SharingBench {
    private final Scale scale;
    private final String sharing;
    private final Path folder;
    private final PrintWriter out;

    /**
     * Of one cluster size and prompt length.
     *
     * @param sharing settings of the cluster that shares
     * @param folder for files and logs of members
     */
    SharingBench(Scale scale, String sharing, Path folder, PrintWriter out) {
        this.scale = scale;
        this.sharing = sharing;
        this.folder = folder;
        this.out = out;
    }

    /**
     * What a scenario came to.
     *
     * @param loadAverage of the machine when measuring began and when it ended
     * @param cachedShare of prompt tokens that were not computed, with and without
     * @param servers how many different members answered, with and without
     */
    record Outcome(
            String scenario,
            String what,
            List<Double> loadAverage,
            Comparison timeToFirstToken,
            Comparison total,
            List<Double> cachedShare,
            List<Long> servers,
            Samples samples) {}

    /** All that was measured, and how. */
    record Report(String at, int processors, Scale scale, String sharing, List<Outcome> outcomes) {}

    Report run(List<Scenario> scenarios) throws IOException, InterruptedException {
        var outcomes = new ArrayList<Outcome>();
        var at = Instant.now().toString();
        out.printf(
                "%d prompts of %d tokens for each scenario, on %d processors; TTFT are medians%n",
                scale.prompts(), scale.promptTokens(), Runtime.getRuntime().availableProcessors());
        for (var scenario : scenarios) {
            out.printf("%n%s: %s%n", scenario.label(), scenario.what());
            out.flush();
            var outcome = play(scenario);
            outcomes.add(outcome);
            lines(outcome).forEach(out::println);
            out.flush();
        }
        return new Report(at, Runtime.getRuntime().availableProcessors(), scale, sharing, outcomes);
    }

    private Outcome play(Scenario scenario) throws IOException, InterruptedException {
        try (var pair = Pair.start(folder.resolve(scenario.label()), scenario.settings(), sharing)) {
            // Whoever ends this program ends its clusters.
            var hook = new Thread(pair::end, "sharing-end");
            Runtime.getRuntime().addShutdownHook(hook);
            try {
                double before = load();
                var samples = scenario.play(pair, scale);
                return new Outcome(
                        scenario.label(),
                        scenario.what(),
                        List.of(before, load()),
                        Comparison.of(samples.with(), samples.without(), Sample::firstMillis),
                        Comparison.of(samples.with(), samples.without(), Sample::totalMillis),
                        List.of(cachedShare(samples.with()), cachedShare(samples.without())),
                        List.of(servers(samples.with()), servers(samples.without())),
                        samples);
            } finally {
                pair.end();
                Runtime.getRuntime().removeShutdownHook(hook);
            }
        }
    }

    private static double load() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }

    private static double cachedShare(List<Sample> samples) {
        return samples.stream().mapToInt(Sample::cachedTokens).sum()
                / (double) Math.max(
                        1, samples.stream().mapToInt(Sample::promptTokens).sum());
    }

    private static long servers(List<Sample> samples) {
        return samples.stream()
                .flatMap(sample -> sample.workers().stream())
                .distinct()
                .count();
    }

    private static List<String> lines(Outcome outcome) {
        var first = outcome.timeToFirstToken;
        return List.of(
                String.format(
                        Locale.ROOT,
                        "  TTFT %8.1f ms with, %8.1f ms without: ratio %.3f (95 %%: %.3f to %.3f), %.1f times as fast",
                        first.medianWith(),
                        first.medianWithout(),
                        first.ratio(),
                        first.ratioLow(),
                        first.ratioHigh(),
                        1 / first.ratio()),
                String.format(
                        Locale.ROOT,
                        "  whole answers: ratio %.3f (95 %%: %.3f to %.3f)",
                        outcome.total.ratio(),
                        outcome.total.ratioLow(),
                        outcome.total.ratioHigh()),
                String.format(
                        Locale.ROOT,
                        "  prompt tokens found in caches: %.1f %% with, %.1f %% without; load average %.1f, then %.1f",
                        100 * outcome.cachedShare.get(0),
                        100 * outcome.cachedShare.get(1),
                        outcome.loadAverage.get(0),
                        outcome.loadAverage.get(1)));
    }

    static void write(Report report, Path file) throws IOException {
        new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), report);
    }
}
