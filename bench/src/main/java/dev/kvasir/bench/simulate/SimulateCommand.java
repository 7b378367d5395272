package dev.kvasir.bench.simulate;

import dev.kvasir.bench.Progress;
import dev.kvasir.bench.ServiceLevel;
import dev.kvasir.bench.simulate.Report.Row;
import dev.kvasir.router.placement.Policy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir simulate}: a trace of requests on clusters that are not there. */
@Command(
        name = "simulate",
        description = {
            "Replays a trace of requests in virtual time: with the code that places requests in a real cluster, and workers"
                    + " that only take the time. Compares routing policies, cluster sizes and cache sizes.",
            "",
            "The trace has one JSON object per line with timestamp (ms), input_length, output_length and hash_ids, as those of"
                    + " the Mooncake project. A worker's cache counts beside what its running requests hold. Whatever its parts, the cache is"
                    + " of one size."
        },
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir simulate --trace conversation.jsonl --workers 4,8,64 --cache 5,20,100 -o simulated.json",
            "  kvasir simulate --trace conversation.jsonl --workers 64 --store-share 0,50,90 --pull-bandwidth 12500 --placement cost",
            "  kvasir simulate --workers 16 --speed 40 --prefill-rate 20000 --step-millis 9 --goodput ttft:1000,tpot:40"
        })
public final class SimulateCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--trace", paramLabel = "FILE", description = "Trace to replay (default: a generated one).")
    private @Nullable Path trace;

    @Option(
            names = "--block-size",
            paramLabel = "TOKENS",
            defaultValue = "512",
            description = "Tokens that one of the trace's hash ids stands for (default: ${DEFAULT-VALUE}).")
    private int blockSize;

    @Option(
            names = "--num-requests",
            paramLabel = "N",
            defaultValue = "12000",
            description = "Requests of a generated trace (default: ${DEFAULT-VALUE}).")
    private int requestCount;

    @Option(
            names = "--workers",
            paramLabel = "N,...",
            split = ",",
            hideParamSyntax = true,
            defaultValue = "8",
            description = "Cluster sizes (default: ${DEFAULT-VALUE}).")
    private List<Integer> workers;

    @Option(
            names = "--cache",
            paramLabel = "PERCENT,...",
            split = ",",
            hideParamSyntax = true,
            defaultValue = "20",
            description =
                    "Cache of the whole cluster, in percent of the trace's different blocks (default: ${DEFAULT-VALUE}).")
    private List<Double> caches;

    @Option(
            names = "--placement",
            paramLabel = "POLICY,...",
            split = ",",
            hideParamSyntax = true,
            defaultValue = "cost,round-robin,least-loaded,bounded-hash,longest-prefix,prefix-threshold",
            description = "Policies to compare (default: all).")
    private List<String> policies;

    @Option(
            names = "--speed",
            paramLabel = "X",
            defaultValue = "1",
            description = "Requests arrive X times as fast as in the trace (default: ${DEFAULT-VALUE}).")
    private double speed;

    @Option(
            names = "--prefill-rate",
            paramLabel = "TOKENS/S",
            defaultValue = "40000",
            description = "Prompt tokens that a worker computes per second (default: ${DEFAULT-VALUE}).")
    private double prefillRate;

    @Option(
            names = "--step-millis",
            paramLabel = "MS",
            defaultValue = "6.4",
            description = "A step that generates one token for one sequence (default: ${DEFAULT-VALUE}).")
    private double stepMillis;

    @Option(
            names = "--sequence-millis",
            paramLabel = "MS",
            defaultValue = "0.05",
            description = "More for each further sequence of a step (default: ${DEFAULT-VALUE}).")
    private double sequenceMillis;

    @Option(
            names = "--step-tokens-max",
            paramLabel = "N",
            defaultValue = "2048",
            description = "Tokens of one step (default: ${DEFAULT-VALUE}).")
    private int stepTokensMax;

    @Option(
            names = "--sequences-max",
            paramLabel = "N",
            defaultValue = "256",
            description = "Sequences that a worker runs at a time (default: ${DEFAULT-VALUE}).")
    private int sequencesMax;

    @Mixin
    private SharingOptions sharing;

    @Option(
            names = "--goodput",
            paramLabel = "NAME:MS,...",
            defaultValue = "ttft:2000,tpot:50",
            description = "Count requests that keep these bounds on ttft and tpot (default: ${DEFAULT-VALUE}).")
    private String goodput;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "0",
            description = "Same seed, same figures (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description = "Write the figures as JSON, and a plot beside it (FILE with .svg).")
    private @Nullable Path outputFile;

    @Override
    public Integer call() {
        var plan = plan();
        var out = spec.commandLine().getOut();
        out.println(plan.title);
        out.flush();
        var rows = new ArrayList<Row>();
        try (var progress = Progress.count(
                "Simulations",
                (long) workers.size() * caches.size() * plan.policies.size() * plan.storeShares.size())) {
            for (double percent : caches) {
                for (int count : workers) {
                    rows.addAll(compare(plan, count, percent, progress));
                }
            }
        }
        var report = new Report(plan.title, plan.level.toString(), rows);
        report.lines().forEach(out::println);
        if (outputFile != null) {
            var plot = outputFile.resolveSibling(
                    outputFile.getFileName().toString().replaceFirst("\\.json$", "") + ".svg");
            report.write(outputFile);
            ReportPlot.write(plot, report);
            out.printf("%nWrote %s and %s%n", outputFile, plot);
        }
        return 0;
    }

    private record Plan(
            Trace trace,
            int unique,
            List<Policy> policies,
            List<Double> storeShares,
            StepCosts costs,
            Network network,
            ServiceLevel level,
            String title) {}

    private Plan plan() {
        try {
            require(requestCount >= 1 && blockSize >= 1, "--num-requests and --block-size must be at least 1");
            require(speed > 0, "--speed must be above 0");
            workers.forEach(n -> require(n >= 1 && n <= 4096, "--workers is " + n + " but must be in 1..4096"));
            caches.forEach(p -> require(p > 0 && p <= 1000, "--cache is " + p + " but must be above 0, at most 1000"));
            var named = policies.stream()
                    .map(name -> Policy.of(name)
                            .orElseThrow(() -> new IllegalArgumentException("--placement is %s but must be one of %s"
                                    .formatted(name, String.join(", ", Policy.titles())))))
                    .toList();
            var costs = new StepCosts(prefillRate, stepMillis, sequenceMillis, stepTokensMax, sequencesMax);
            var network = sharing.network();
            var level = ServiceLevel.parse(goodput);
            var requests = trace == null ? GeneratedTrace.of(requestCount, seed) : TraceFile.read(trace, blockSize);
            int unique = requests.uniqueBlocks();
            var title =
                    "%s: %d requests in %.0f s, %.1f million prompt tokens, %d different blocks of %d of %d; speed %s, %s; %s"
                            .formatted(
                                    requests.name(),
                                    requests.requests().size(),
                                    requests.seconds(),
                                    requests.promptTokens() / 1e6,
                                    unique,
                                    requests.blockSize(),
                                    requests.blocks(),
                                    Report.number(speed),
                                    costs.title(),
                                    network.title());
            return new Plan(requests, unique, named, sharing.storeShares(), costs, network, level, title);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private List<Row> compare(Plan plan, int count, double percent, Progress progress) {
        int blocks = (int) Math.max(count, plan.unique * percent / 100);
        int all = blocks + sharing.addedBlocks(plan.unique);
        double hitRate = plan.trace.pooledHitRate(all);
        var balance = plan.trace.balance(count, all);
        var rows = new ArrayList<Row>();
        for (double share : plan.storeShares) {
            var capacity = sharing.capacity(blocks, count, share, plan.unique);
            // What has no room on a worker's device goes to a kvstore, or nowhere.
            int longest = capacity.storeBlocks() > 0 ? Integer.MAX_VALUE : capacity.deviceBlocks();
            var pooled = new Report.Pooled(hitRate, plan.trace.pooledHitRate(all, longest), balance);
            for (var policy : plan.policies) {
                var settings = new SimulatedCluster.Settings(
                        plan.trace, count, capacity, plan.costs, plan.network, speed, seed);
                var outcome = SimulatedCluster.run(settings, policy.create());
                rows.add(Row.of(count, percent, share, capacity, policy.title(), pooled, outcome, plan.level));
                progress.step();
            }
        }
        return rows;
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new IllegalArgumentException(message);
        }
    }
}
