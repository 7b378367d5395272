package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;
import jcuda.driver.JCudaDriver;

/**
 * Device memory that several processes of one host have: one exports an allocation under a handle, others open it. What is
 * opened stays readable until it is closed, also when its owner is gone, and is given back only then. JCuda has the calls,
 * but no way to send a handle anywhere.
 */
public final class SharedMemory {
    /** Bytes of a handle. */
    public static final int HANDLE_BYTES = 64;

    private static final MemoryLayout HANDLE =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(HANDLE_BYTES, JAVA_BYTE));
    /** Another GPU's memory becomes reachable with it. */
    private static final int LAZY_ENABLE_PEER_ACCESS = 1;

    private final MethodHandle export;
    private final MethodHandle open;

    SharedMemory() {
        try {
            var driver = NativeLibrary.load(List.of(GpuSearch.DRIVER), "");
            export = driver.function("cuIpcGetMemHandle", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
            open = driver.function("cuIpcOpenMemHandle_v2", FunctionDescriptor.of(JAVA_INT, ADDRESS, HANDLE, JAVA_INT));
        } catch (IOException e) {
            throw new IllegalStateException("the driver was there a moment ago", e);
        }
    }

    /** The allocation that has an address, for other processes. */
    public Exported export(long address) {
        try (var arena = Arena.ofConfined()) {
            var base = range(address);
            var handle = arena.allocate(HANDLE);
            Cuda.check((int) export.invokeExact(handle, base.address()), "cuIpcGetMemHandle");
            return new Exported(handle.toArray(JAVA_BYTE), address - base.address());
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("cuIpcGetMemHandle cannot be called", e);
        }
    }

    /**
     * An address as others find it.
     *
     * @param offset of the address in what the handle stands for
     */
    @SuppressWarnings("ArrayRecordComponent") // Handed on, never compared.
    public record Exported(byte[] handle, long offset) {}

    /** Opens another process's allocation, once at a time. */
    public Opened open(byte[] handle) {
        if (handle.length != HANDLE_BYTES) {
            throw new IllegalArgumentException(
                    "a handle has %d bytes but must have %d".formatted(handle.length, HANDLE_BYTES));
        }
        try (var arena = Arena.ofConfined()) {
            var address = arena.allocate(JAVA_LONG);
            var value = arena.allocate(HANDLE);
            value.copyFrom(MemorySegment.ofArray(handle));
            Cuda.check((int) open.invokeExact(address, value, LAZY_ENABLE_PEER_ACCESS), "cuIpcOpenMemHandle");
            long base = address.get(JAVA_LONG, 0);
            return new Opened(base, range(base).bytes());
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("cuIpcOpenMemHandle cannot be called", e);
        }
    }

    /** Memory of another process. */
    public record Opened(long address, long byteSize) implements AutoCloseable {
        @Override
        public void close() {
            Cuda.check(JCudaDriver.cuIpcCloseMemHandle(Handles.device(address)), "cuIpcCloseMemHandle");
        }
    }

    private record Range(long address, long bytes) {}

    private static Range range(long address) {
        var base = new Handles.Device();
        var bytes = new long[1];
        Cuda.check(JCudaDriver.cuMemGetAddressRange(base, bytes, Handles.device(address)), "cuMemGetAddressRange");
        return new Range(base.address(), bytes[0]);
    }
}
