package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.kernel.check.KernelChecks;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * Looks over this machine: processor, GPU, driver and libraries, every kernel against the plain-Java reference, and the
 * GPU's speed as a share of its limits. Goes on after failures, so that one run tells all.
 */
public final class Doctor {
    private static final long SEED = 1;
    /** GPUs that are looked at together. */
    private static final int GPUS_MAX = 8;

    private final CpuOptions cpu;
    private final CudaOptions cuda;
    private final Report report;

    public Doctor(CpuOptions cpu, CudaOptions cuda, PrintWriter out) {
        this.cpu = cpu;
        this.cuda = cuda;
        this.report = new Report(out);
    }

    /** Runs all checks; returns how many failed. A machine without a GPU is no failure. */
    public int run() {
        report.section("Machine");
        report.note("Java", System.getProperty("java.vm.name") + " " + Runtime.version());
        report.note("processors", Integer.toString(Runtime.getRuntime().availableProcessors()));
        report.note("heap at most", Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB");
        var search = GpuSearch.first();
        switch (search) {
            case GpuSearch.None(var reason) -> report.note("GPU", "none is used: " + reason);
            case GpuSearch.Found(var gpu) -> describe(gpu);
        }
        check("CPU kernels", DType.F32, () -> new CpuKernels(cpu));
        if (search instanceof GpuSearch.Found(var gpu)) {
            for (var type : List.of(DType.F32, DType.BF16, DType.F16)) {
                check("GPU kernels, " + name(type), type, () -> open(gpu, type));
            }
            measure(gpu);
            together();
        }
        report.section(
                report.failures() == 0 ? "Everything is well." : report.failures() + " findings are bad, see above.");
        return report.failures();
    }

    private void describe(GpuInfo gpu) {
        report.good(
                "GPU",
                "%s, compute capability %s, %d multiprocessors, %d MiB"
                        .formatted(gpu.name(), gpu.capability(), gpu.multiprocessors(), gpu.totalBytes() >> 20));
        report.good("driver", "for CUDA " + gpu.driver());
        CublasLt.missing(cuda.libraryPath())
                .ifPresentOrElse(missing -> report.bad("cuBLASLt", missing), () -> report.good("cuBLASLt", "is there"));
    }

    private Kernels open(GpuInfo gpu, DType type) {
        var limits =
                new StepLimits(KernelChecks.ROWS_MAX, KernelChecks.SEQUENCES_MAX, KernelChecks.BLOCKS_PER_SEQUENCE_MAX);
        return CudaKernels.open(gpu, type, limits, cuda);
    }

    private void check(String title, DType type, Supplier<Kernels> supplier) {
        report.section(title);
        try (var kernels = supplier.get()) {
            report.note("", kernels.describe());
            KernelChecks.run(kernels, type, SEED, this::tell);
            if (type == DType.F32 && kernels.runsAhead()) {
                tell(DrawCheck.run(kernels, SEED));
                tell(ScoreCheck.run(kernels, SEED));
            }
        } catch (RuntimeException e) {
            report.bad(title, String.valueOf(e));
        }
    }

    private void tell(KernelCheck check) {
        var finding = String.format(
                Locale.ROOT,
                "%4d cases, error %.1e, at most %.1e%s",
                check.cases(),
                check.error(),
                check.tolerance(),
                check.failure().isEmpty() ? "" : "; " + check.failure());
        if (check.passed()) {
            report.good(check.name(), finding);
        } else {
            report.bad(check.name(), finding);
        }
    }

    private void measure(GpuInfo gpu) {
        report.section("GPU speed");
        try (var kernels = CudaKernels.open(gpu, DType.BF16, new StepLimits(8192, 64, 1024), cuda)) {
            new GpuRates(kernels).measure().forEach(rate -> report.note(rate.name(), rate.describe()));
        } catch (RuntimeException e) {
            report.bad("measurements", String.valueOf(e));
        }
    }

    private void together() {
        var gpus = new ArrayList<GpuInfo>();
        while (gpus.size() < GPUS_MAX && GpuSearch.at(gpus.size()) instanceof GpuSearch.Found(var gpu)) {
            gpus.add(gpu);
        }
        if (gpus.isEmpty()) {
            return;
        }
        new NearChecks(gpus.getFirst(), gpus.getFirst(), cuda, report).run();
        if (gpus.size() > 1) {
            new NearChecks(gpus.getFirst(), gpus.get(1), cuda, report).run();
            new RankChecks(gpus, cuda, report, this::tell).run();
        }
    }

    private static String name(DType type) {
        return type.name().toLowerCase(Locale.ROOT);
    }
}
