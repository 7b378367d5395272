package dev.kvasir.worker.kernel.cpu;

import java.nio.file.Path;

/**
 * Choices of {@link CpuKernels}.
 *
 * @param threads processors to use, the caller's included
 * @param packedBytesMax most bytes of copies of bf16 weights in the order that products read
 * @param cache folder where native libraries are unpacked
 */
public record CpuOptions(int threads, Determinism determinism, long packedBytesMax, Path cache) {
    public CpuOptions {
        if (threads < 1) {
            throw new IllegalArgumentException("threads %d is less than 1".formatted(threads));
        }
        if (packedBytesMax < 0) {
            throw new IllegalArgumentException("packed bytes %d are less than 0".formatted(packedBytesMax));
        }
    }

    /** All processors, as fast as possible, native libraries under the user's cache folder. */
    public static CpuOptions defaults() {
        var cache = Path.of(System.getProperty("user.home"), ".cache", "kvasir");
        return new CpuOptions(Runtime.getRuntime().availableProcessors(), Determinism.FAST, 4L << 30, cache);
    }
}
