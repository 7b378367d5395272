package dev.kvasir.worker;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KernelsFactory;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.util.function.Consumer;

/** Decides what a worker computes on: a GPU where there is one that can be used, unless told otherwise. */
public final class Devices {
    private Devices() {}

    /**
     * Looks for a GPU as far as the settings want one.
     *
     * @param notice told, in words for people, why there is none where one would have been used
     * @throws IllegalArgumentException when a GPU is asked for and there is none, with the reason
     */
    public static KernelsFactory choose(
            WorkerConfig config, CpuOptions cpu, CudaOptions cuda, Consumer<String> notice) {
        if (config.device() == WorkerConfig.Device.CPU) {
            return onCpu(cpu);
        }
        return choose(config.device(), usable(GpuSearch.first(), cuda), cpu, cuda, notice);
    }

    static KernelsFactory choose(
            WorkerConfig.Device asked, GpuSearch search, CpuOptions cpu, CudaOptions cuda, Consumer<String> notice) {
        return switch (search) {
            case GpuSearch.Found(var gpu) -> new OnGpu(gpu, cuda);
            case GpuSearch.None(var reason) -> {
                if (asked == WorkerConfig.Device.CUDA) {
                    throw WorkerConfig.refusal("device", "cuda", "auto or cpu on this machine: " + reason);
                }
                notice.accept("no GPU is used: " + reason);
                yield onCpu(cpu);
            }
        };
    }

    /** A GPU without the library for matrix products cannot be used. */
    private static GpuSearch usable(GpuSearch search, CudaOptions cuda) {
        if (search instanceof GpuSearch.Found(var gpu)) {
            var missing = CublasLt.missing(cuda.libraryPath());
            if (missing.isPresent()) {
                return new GpuSearch.None("%s is there, but not cuBLASLt: %s".formatted(gpu.name(), missing.get()));
            }
        }
        return search;
    }

    private static KernelsFactory onCpu(CpuOptions options) {
        return (_, _) -> new CpuKernels(options);
    }

    private record OnGpu(GpuInfo gpu, CudaOptions options) implements KernelsFactory {
        @Override
        public Kernels open(DType type, StepLimits limits) {
            return CudaKernels.open(gpu, type, limits, options);
        }

        @Override
        public boolean onDevice() {
            return true;
        }
    }
}
