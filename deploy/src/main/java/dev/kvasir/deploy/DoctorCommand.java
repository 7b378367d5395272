package dev.kvasir.deploy;

import dev.kvasir.worker.doctor.Doctor;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cpu.Determinism;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kvasir doctor}. */
@Command(
        name = "doctor",
        sortOptions = false,
        description =
                "Looks over this machine: GPU, driver, libraries; checks every kernel against the reference; measures.")
final class DoctorCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "Settings in HOCON; every key is explained in reference.conf.")
    private @Nullable Path configFile;

    @Override
    public Integer call() {
        var config = KvasirConfig.load(configFile, System.getenv(), Map.of());
        var cpu = new CpuOptions(
                Runtime.getRuntime().availableProcessors(),
                Determinism.DETERMINISTIC,
                config.worker().packedWeightsMax(),
                config.dataDir().resolve("native"));
        var out = spec.commandLine().getOut();
        int failures = new Doctor(cpu, WorkerMember.cudaOptions(config), out).run();
        return failures == 0 ? Kvasir.SUCCESS : Kvasir.FAILURE;
    }
}
