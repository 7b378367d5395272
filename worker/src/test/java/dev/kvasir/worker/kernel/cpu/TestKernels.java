package dev.kvasir.worker.kernel.cpu;

import java.nio.file.Path;

/** Kernels for tests. */
final class TestKernels {
    private static final long PACKED_BYTES_MAX = 64 << 20;

    private TestKernels() {}

    static CpuKernels deterministic(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.DETERMINISTIC, PACKED_BYTES_MAX, cache()));
    }

    /** All weights as they are stored. */
    static CpuKernels unpacked(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.DETERMINISTIC, 0, cache()));
    }

    static CpuKernels auto(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.AUTO, PACKED_BYTES_MAX, cache()));
    }

    /** With oneDNN where the processor has use for it. */
    static CpuKernels fast(int threads) {
        return new CpuKernels(new CpuOptions(threads, Determinism.FAST, PACKED_BYTES_MAX, cache()));
    }

    private static Path cache() {
        return Path.of("target", "native-libraries");
    }
}
