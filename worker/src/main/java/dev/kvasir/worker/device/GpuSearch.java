package dev.kvasir.worker.device;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Whether there is a GPU that kernels can run on, and why not. */
public sealed interface GpuSearch {
    /** There is one. */
    record Found(GpuInfo gpu) implements GpuSearch {}

    /** There is none; the reason is for people. */
    record None(String reason) implements GpuSearch {}

    /** Name of the driver's library. Without it nothing of JCuda is touched. */
    String DRIVER = "libcuda.so.1";

    /** Looks for the first GPU of this machine. */
    static GpuSearch first() {
        return first(DRIVER);
    }

    /** Looks for a GPU by its number, the first is 0. */
    static GpuSearch at(int ordinal) {
        return at(ordinal, DRIVER);
    }

    /**
     * Looks for the first GPU that a driver knows.
     *
     * @param driver library that a driver would have
     */
    static GpuSearch first(String driver) {
        return at(0, driver);
    }

    private static GpuSearch at(int ordinal, String driver) {
        if (!System.getProperty("os.name", "").equals("Linux")
                || !System.getProperty("os.arch", "").equals("amd64")) {
            return new None("GPUs are supported on Linux x86-64 only");
        }
        if (!NativeLibrary.exists(driver)) {
            return new None("no NVIDIA driver: %s cannot be loaded".formatted(driver));
        }
        try {
            return judge(ask(ordinal));
        } catch (CudaFailure e) {
            return new None("no usable GPU: " + e.getMessage());
        } catch (UnsatisfiedLinkError e) {
            return new None("JCuda's native library cannot be loaded: " + e.getMessage());
        }
    }

    /** Refuses what is too old. */
    static GpuSearch judge(Optional<GpuInfo> gpu) {
        if (gpu.isEmpty()) {
            return new None("the NVIDIA driver knows no GPU");
        }
        var info = gpu.get();
        if (info.computeCapability() < GpuInfo.COMPUTE_CAPABILITY_MIN) {
            return new None(
                    "%s has compute capability %s, and 8.0 is the least".formatted(info.name(), info.capability()));
        }
        return new Found(info);
    }

    private static Optional<GpuInfo> ask(int ordinal) {
        JCudaDriver.setExceptionsEnabled(false);
        int code = JCudaDriver.cuInit(0);
        if (code == CUresult.CUDA_ERROR_NO_DEVICE) {
            return Optional.empty();
        }
        Cuda.check(code, "cuInit");
        var count = new int[1];
        Cuda.check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
        if (ordinal >= count[0]) {
            return Optional.empty();
        }
        var device = new CUdevice();
        Cuda.check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet");
        var name = new byte[256];
        Cuda.check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
        var total = new long[1];
        Cuda.check(JCudaDriver.cuDeviceTotalMem(total, device), "cuDeviceTotalMem");
        var driver = new int[1];
        Cuda.check(JCudaDriver.cuDriverGetVersion(driver), "cuDriverGetVersion");
        return Optional.of(new GpuInfo(
                ordinal,
                text(name),
                10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                        + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                driver[0],
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                total[0],
                attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)));
    }

    private static String text(byte[] zeroTerminated) {
        int length = 0;
        while (length < zeroTerminated.length && zeroTerminated[length] != 0) {
            length++;
        }
        return new String(zeroTerminated, 0, length, StandardCharsets.UTF_8);
    }

    private static int attribute(CUdevice device, int attribute) {
        var value = new int[1];
        Cuda.check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
        return value[0];
    }
}
