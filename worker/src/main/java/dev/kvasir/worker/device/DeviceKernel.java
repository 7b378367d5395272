package dev.kvasir.worker.device;

import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** One kernel, ready to be launched. */
public final class DeviceKernel {
    private final String name;
    private final Handles.FunctionHandle function;
    private final KernelLauncher launcher;

    DeviceKernel(String name, Handles.FunctionHandle function, KernelLauncher launcher) {
        this.name = name;
        this.function = function;
        this.launcher = launcher;
    }

    /** Allows launches with so much dynamic shared memory; needed above 48 KiB. */
    public DeviceKernel withSharedBytes(int bytes) {
        Cuda.check(
                JCudaDriver.cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
                "cuFuncSetAttribute of %s to %d bytes of shared memory".formatted(name, bytes));
        return this;
    }

    /** Thread blocks that a multiprocessor can hold. */
    public int blocksPerMultiprocessor(int threads, int sharedBytes) {
        var blocks = new int[1];
        Cuda.check(
                JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, sharedBytes),
                "cuOccupancyMaxActiveBlocksPerMultiprocessor of " + name);
        return blocks[0];
    }

    /** Launches it after all that was issued before. */
    public void launch(Stream stream, Grid grid, Arguments arguments) {
        launch(stream, grid, arguments, false);
    }

    /** Launches a kernel that itself waits for what was issued before: it may be started earlier. */
    public void launchEarly(Stream stream, Grid grid, Arguments arguments) {
        launch(stream, grid, arguments, true);
    }

    private void launch(Stream stream, Grid grid, Arguments arguments, boolean early) {
        int code = launcher.launch(function.address(), stream, grid, arguments, early);
        if (code != 0) {
            throw Cuda.failure(code, "launch of %s on %s".formatted(name, grid));
        }
    }
}
