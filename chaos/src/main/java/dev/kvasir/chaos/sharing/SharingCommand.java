package dev.kvasir.chaos.sharing;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir bench sharing}: what the shared prefix cache gains, and what it costs. */
@Command(
        name = "sharing",
        description = {
            "Measures what sharing KV blocks between members gains: TTFT with and without, as ratios.",
            "Starts clusters of real processes with the demo model on this machine, two at a time, one of which does not share."
        },
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir bench sharing --output sharing.json",
            "  kvasir bench sharing --scenario lost-worker --set kvasir.worker.sharing.offer=all",
        })
public final class SharingCommand implements Callable<Integer> {
    private static final int PROMPTS_MAX = 60;
    private static final int PROMPT_TOKENS_MAX = 3500;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--home",
            paramLabel = "DIR",
            defaultValue = "${env:KVASIR_HOME:-.}",
            description = "Folder of the installation (default: environment variable KVASIR_HOME).")
    private Path home;

    @Option(
            names = "--scenario",
            paramLabel = "NAME",
            description =
                    "cold-worker, drained-worker, hot-prefix, lost-worker or unique-prompts; may be repeated (default: all).")
    private List<String> names = List.of();

    @Option(
            names = "--num-prompts",
            paramLabel = "N",
            defaultValue = "20",
            description = "Prompts measured in each scenario (default: ${DEFAULT-VALUE}).")
    private int promptCount;

    @Option(
            names = "--input-len",
            paramLabel = "N",
            defaultValue = "1500",
            description = "Tokens of each prompt (default: ${DEFAULT-VALUE}).")
    private int promptTokens;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "0",
            description = "Same seed, same prompts (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description = "A setting of the cluster that shares; may be repeated.")
    private List<String> settings = List.of();

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Folder for logs and files of members (default: a new one in .kvasir/sharing).")
    private @Nullable Path out;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description = "Write all figures and every request as JSON.")
    private @Nullable Path output;

    @Override
    public Integer call() throws IOException, InterruptedException {
        require(
                promptCount >= 1 && promptCount <= PROMPTS_MAX,
                "--num-prompts is %d but must be in [1, %d]".formatted(promptCount, PROMPTS_MAX));
        require(
                promptTokens >= 1 && promptTokens <= PROMPT_TOKENS_MAX,
                "--input-len is %d but must be in [1, %d]".formatted(promptTokens, PROMPT_TOKENS_MAX));
        settings.forEach(setting -> require(setting.contains("="), "--set is '" + setting + "' but must be KEY=VALUE"));
        var scenarios = scenarios();
        var folder = out == null
                ? home.resolve(".kvasir").resolve("sharing").resolve(Long.toString(System.currentTimeMillis()))
                : out;
        var bench = new SharingBench(
                new Scenario.Scale(promptCount, promptTokens, seed),
                String.join("\n", settings),
                folder,
                spec.commandLine().getOut());
        var report = bench.run(scenarios);
        if (output != null) {
            SharingBench.write(report, output);
            spec.commandLine().getOut().printf("%nWrote %s%n", output);
        }
        return 0;
    }

    private List<Scenario> scenarios() {
        if (names.isEmpty()) {
            return List.of(Scenario.values());
        }
        return names.stream()
                .map(name -> Arrays.stream(Scenario.values())
                        .filter(scenario -> scenario.label().equals(name))
                        .findFirst()
                        .orElseThrow(() -> new ParameterException(
                                spec.commandLine(),
                                "--scenario is '%s' but must be one of %s"
                                        .formatted(
                                                name,
                                                Arrays.stream(Scenario.values())
                                                        .map(Scenario::label)
                                                        .toList()))))
                .toList();
    }

    private void require(boolean holds, String message) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }
}
