package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * The driver's {@code cuLaunchKernelEx}, which JCuda does not have: only with it may a kernel begin before its predecessor
 * has ended (programmatic dependent launch, compute capability 9.0).
 */
final class KernelLauncher {
    private static final int EARLY_CAPABILITY_MIN = 90;
    private static final long CONFIG_BYTES = 56;
    private static final long ATTRIBUTE_BYTES = 72;
    private static final int PROGRAMMATIC_SERIALIZATION = 6;

    private final MethodHandle launch;
    private final boolean mayBeEarly;

    KernelLauncher(GpuInfo gpu) {
        try {
            launch = NativeLibrary.load(List.of(GpuSearch.DRIVER), "")
                    .function(
                            "cuLaunchKernelEx", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));
        } catch (IOException e) {
            throw new IllegalStateException("the driver was there a moment ago", e);
        }
        mayBeEarly = gpu.computeCapability() >= EARLY_CAPABILITY_MIN;
    }

    /**
     * Launches a kernel.
     *
     * @param early it waits for its predecessor itself, and may be started before
     * @return the driver's code
     */
    int launch(long function, Stream stream, Grid grid, Arguments arguments, boolean early) {
        try (var arena = Arena.ofConfined()) {
            var config = arena.allocate(CONFIG_BYTES, 8);
            config.set(JAVA_INT, 0, grid.x());
            config.set(JAVA_INT, 4, grid.y());
            config.set(JAVA_INT, 8, grid.z());
            config.set(JAVA_INT, 12, grid.threads());
            config.set(JAVA_INT, 16, 1);
            config.set(JAVA_INT, 20, 1);
            config.set(JAVA_INT, 24, grid.sharedBytes());
            config.set(JAVA_LONG, 32, stream.address());
            if (early && mayBeEarly) {
                var attribute = arena.allocate(ATTRIBUTE_BYTES, 8);
                attribute.set(JAVA_INT, 0, PROGRAMMATIC_SERIALIZATION);
                attribute.set(JAVA_INT, 8, 1);
                config.set(ADDRESS, 40, attribute);
                config.set(JAVA_INT, 48, 1);
            }
            return (int) launch.invokeExact(config, function, arguments.pointers(arena), MemorySegment.NULL);
        } catch (Throwable e) {
            throw new IllegalStateException("cuLaunchKernelEx cannot be called", e);
        }
    }
}
