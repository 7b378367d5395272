package dev.kvasir.chaos;

import dev.kvasir.chaos.process.ProcessChaos;
import dev.kvasir.chaos.simulation.Simulation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir chaos}: breaks clusters on purpose and tells which promise did not hold. */
@Command(
        name = "chaos",
        description = {
            "Breaks clusters on purpose: status 0 if every promise held.",
            "Simulates whole clusters in one thread under seeded faults; with --minutes, starts real processes and breaks those."
        },
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir chaos --seeds 10000        ten thousand clusters, each with its own faults",
            "  kvasir chaos --seed 42 --trace    one of them again, with everything that happened",
            "  kvasir chaos --minutes 5          real processes under load: killed, stopped, restarted, cut off"
        })
public final class ChaosCommand implements Callable<Integer> {
    private static final long DEFAULT_SEEDS = 1000;
    private static final int FAILURES_MAX = 5;
    private static final int PROGRESS_EVERY = 1000;
    private static final int MINUTES_MAX = 24 * 60;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--home",
            paramLabel = "DIR",
            defaultValue = "${env:KVASIR_HOME:-.}",
            description = "Folder of the installation (default: environment variable KVASIR_HOME).")
    private Path home;

    @Option(names = "--seed", paramLabel = "S", description = "The one seed to run; with --seeds the first.")
    private @Nullable Long seed;

    @Option(
            names = "--seeds",
            paramLabel = "N",
            description = "How many seeds to simulate, one after the other (default: " + DEFAULT_SEEDS + ").")
    private @Nullable Long seeds;

    @Option(names = "--trace", description = "Print everything that happened; with one seed.")
    private boolean trace;

    @Option(
            names = "--minutes",
            paramLabel = "N",
            description = "Break real processes for so long, instead of simulating; --seed says how.")
    private @Nullable Double minutes;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "With --minutes: folder for report and logs (default: a new one in .kvasir/chaos).")
    private @Nullable Path out;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (minutes != null) {
            return breakProcesses(minutes);
        }
        long first = seed == null ? 0 : seed;
        long count = seeds != null ? seeds : seed == null ? DEFAULT_SEEDS : 1;
        if (count < 1) {
            throw new ParameterException(spec.commandLine(), "--seeds is " + count + " but must be at least 1");
        }
        if (trace && count != 1) {
            throw new ParameterException(spec.commandLine(), "--trace needs one --seed");
        }
        return simulate(first, count, spec.commandLine().getOut());
    }

    private int breakProcesses(double forMinutes) throws IOException, InterruptedException {
        if (forMinutes <= 0 || forMinutes > MINUTES_MAX || seeds != null || trace) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--minutes is %s but must be in (0, %d], without --seeds and --trace"
                            .formatted(forMinutes, MINUTES_MAX));
        }
        var folder = out == null
                ? home.resolve(".kvasir").resolve("chaos").resolve(Long.toString(System.currentTimeMillis()))
                : out;
        var chaos = new ProcessChaos(
                seed == null ? 0 : seed, folder, spec.commandLine().getOut());
        return chaos.run(Duration.ofSeconds(Math.round(60 * forMinutes))) ? 0 : 1;
    }

    private int simulate(long first, long count, PrintWriter out) {
        int failures = 0;
        long began = System.nanoTime();
        try (var simulation = new Simulation(home.resolve("model").resolve("demo"))) {
            if (trace) {
                simulation.trace(first).forEach(out::println);
            }
            for (long next = first; next < first + count && failures < FAILURES_MAX; next++) {
                var failure = simulation.run(next);
                if (failure.isPresent()) {
                    failures++;
                    out.println(failure.get());
                }
                if ((next - first + 1) % PROGRESS_EVERY == 0) {
                    out.printf("%,d seeds, %d of them failed%n", next - first + 1, failures);
                }
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            out.printf("%s; %.1f s%n", simulation.summary(), seconds);
            out.println(failures == 0 ? "Every promise held." : failures + " seeds failed.");
        }
        out.flush();
        return failures == 0 ? 0 : 1;
    }
}
