package dev.kvasir.worker;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KernelsFactory;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import dev.kvasir.worker.kernel.cuda.CudaRanks;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/** Decides what a worker computes on: a GPU where there is one that can be used, unless told otherwise. */
public final class Devices {
    private Devices() {}

    /**
     * Looks for as many GPUs as the settings want.
     *
     * @param notice told, in words for people, why there is none where one would have been used
     * @throws IllegalArgumentException when GPUs are asked for and not there, with the reason
     */
    public static KernelsFactory choose(
            WorkerConfig config, CpuOptions cpu, CudaOptions cuda, Consumer<String> notice) {
        if (config.device() == WorkerConfig.Device.CPU) {
            return onCpu(config, cpu);
        }
        return choose(config, ordinal -> usable(GpuSearch.at(ordinal), cuda), cpu, cuda, notice);
    }

    static KernelsFactory choose(
            WorkerConfig config,
            IntFunction<GpuSearch> search,
            CpuOptions cpu,
            CudaOptions cuda,
            Consumer<String> notice) {
        var gpus = new ArrayList<GpuInfo>();
        while (gpus.size() < config.tensorParallelSize()) {
            switch (search.apply(gpus.size())) {
                case GpuSearch.Found(var gpu) -> gpus.add(gpu);
                case GpuSearch.None(var reason) -> {
                    return without(config, gpus.size(), reason, cpu, notice);
                }
            }
        }
        return new OnGpus(List.copyOf(gpus), cuda);
    }

    private static KernelsFactory without(
            WorkerConfig config, int found, String reason, CpuOptions cpu, Consumer<String> notice) {
        if (found > 0) {
            throw WorkerConfig.refusal(
                    "tensor-parallel-size",
                    config.tensorParallelSize(),
                    "at most %d on this machine: of GPU %d, %s".formatted(found, found, reason));
        }
        if (config.device() == WorkerConfig.Device.CUDA) {
            throw WorkerConfig.refusal("device", "cuda", "auto or cpu on this machine: " + reason);
        }
        notice.accept("no GPU is used: " + reason);
        return onCpu(config, cpu);
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

    private static KernelsFactory onCpu(WorkerConfig config, CpuOptions options) {
        if (config.tensorParallelSize() > 1) {
            throw WorkerConfig.refusal("tensor-parallel-size", config.tensorParallelSize(), "1 on a CPU");
        }
        return (_, _) -> new CpuKernels(options);
    }

    private record OnGpus(List<GpuInfo> gpus, CudaOptions options) implements KernelsFactory {
        @Override
        public Kernels open(DType type, StepLimits limits) {
            return CudaKernels.open(gpus.getFirst(), type, limits, options);
        }

        @Override
        public int rankCount() {
            return gpus.size();
        }

        @Override
        public Ranks openRanks(DType type, StepLimits limits) {
            return CudaRanks.open(gpus, type, limits, options);
        }

        @Override
        public boolean onDevice() {
            return true;
        }
    }
}
