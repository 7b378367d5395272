package dev.kvasir.worker.device;

import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** Compiled kernels of one source file, on the device. */
public final class KernelModule implements AutoCloseable {
    private final String name;
    private final KernelLauncher launcher;
    private final CUmodule handle = new CUmodule();
    private final Map<String, DeviceKernel> kernels = new HashMap<>();

    /** @param image fatbin, cubin or zero-terminated PTX */
    KernelModule(String name, byte[] image, KernelLauncher launcher) {
        this.name = name;
        this.launcher = launcher;
        Cuda.check(JCudaDriver.cuModuleLoadData(handle, image), "cuModuleLoadData of " + name);
    }

    /** A kernel by its name in the source. */
    public DeviceKernel kernel(String kernel) {
        return kernels.computeIfAbsent(kernel, this::find);
    }

    private DeviceKernel find(String kernel) {
        var function = new Handles.FunctionHandle();
        Cuda.check(
                JCudaDriver.cuModuleGetFunction(function, handle, kernel),
                "cuModuleGetFunction of %s in %s".formatted(kernel, name));
        return new DeviceKernel(kernel, function, launcher);
    }

    @Override
    public void close() {
        Cuda.check(JCudaDriver.cuModuleUnload(handle), "cuModuleUnload of " + name);
    }
}
