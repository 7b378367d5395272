package dev.kvasir.worker.kernel.cpu;

import java.nio.file.Path;

/** Kernels for tests. */
final class TestKernels {
    private TestKernels() {}

    static CpuKernels deterministic(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.DETERMINISTIC, 1 << 20, cache()));
    }

    static CpuKernels auto(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.AUTO, 1 << 20, cache()));
    }

    /** With oneDNN where the processor has use for it. */
    static CpuKernels fast(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.FAST, 1 << 20, cache()));
    }

    private static Path cache() {
        return Path.of("target", "native-libraries");
    }
}
