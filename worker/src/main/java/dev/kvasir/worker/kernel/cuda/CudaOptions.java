package dev.kvasir.worker.kernel.cuda;

import java.nio.file.Path;

/**
 * Choices of {@link CudaKernels}.
 *
 * @param memoryUtilization share of the GPU's memory that this process may use
 * @param cache folder of kernels that are compiled at start
 * @param libraryPath folders where CUDA's libraries may be, separated by colons
 * @param deterministic whether a row's result must depend on no other row, and not on how many there are
 * @param exchange how GPUs that compute a model together exchange activations
 */
public record CudaOptions(
        double memoryUtilization, Path cache, String libraryPath, boolean deterministic, ExchangeWay exchange) {
    /** Environment variable of {@code libraryPath}. */
    public static final String LIBRARY_PATH_VARIABLE = "KVASIR_CUDA_LIBRARY_PATH";

    /** In fast mode. */
    public CudaOptions(double memoryUtilization, Path cache, String libraryPath) {
        this(memoryUtilization, cache, libraryPath, false);
    }

    /** By the best way that is there. */
    public CudaOptions(double memoryUtilization, Path cache, String libraryPath, boolean deterministic) {
        this(memoryUtilization, cache, libraryPath, deterministic, ExchangeWay.AUTO);
    }

    public CudaOptions {
        if (!(memoryUtilization > 0 && memoryUtilization <= 1)) {
            throw new IllegalArgumentException("memoryUtilization %s is outside (0, 1]".formatted(memoryUtilization));
        }
    }
}
