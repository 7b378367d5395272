package dev.kvasir.bench;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir bench compare}: two result files against each other. */
@Command(
        name = "compare",
        description = "Compares two result files: ratios of medians with 95 %% bootstrap confidence intervals.")
final class CompareCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "A.json", description = "The run to compare with.")
    private Path first;

    @Parameters(index = "1", paramLabel = "B.json", description = "The run to judge.")
    private Path second;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "0",
            description = "Seed of the resampling (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        Comparison.lines(ResultFile.read(first), ResultFile.read(second), seed).forEach(out::println);
        return 0;
    }
}
