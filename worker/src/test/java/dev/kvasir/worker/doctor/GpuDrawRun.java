package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.nio.file.Path;

/** A program: draws and scores tokens on the GPU and by the CPU's sampler. Exit status 1 where one differs. */
final class GpuDrawRun {
    private GpuDrawRun() {}

    /** Arguments: seeds. */
    public static void main(String[] arguments) {
        boolean good = true;
        switch (GpuSearch.first()) {
            case GpuSearch.None(var reason) -> throw new IllegalStateException(reason);
            case GpuSearch.Found(var gpu) -> {
                for (var seed : arguments) {
                    try (var kernels = CudaKernels.open(
                            gpu,
                            DType.F32,
                            new StepLimits(16, 16, 16),
                            new CudaOptions(0.2, Path.of("target", "cuda"), ""))) {
                        var drawn = DrawCheck.run(kernels, Long.parseLong(seed));
                        var scored = ScoreCheck.run(kernels, Long.parseLong(seed));
                        System.out.println(drawn);
                        System.out.println(scored);
                        good &= drawn.passed() && scored.passed();
                    }
                }
            }
        }
        System.exit(good ? 0 : 1);
    }
}
