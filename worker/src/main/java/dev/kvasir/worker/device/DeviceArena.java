package dev.kvasir.worker.device;

import jcuda.driver.JCudaDriver;

/** One allocation, handed out from its start in aligned pieces that live as long as it does. */
public final class DeviceArena implements AutoCloseable {
    /** What cuBLASLt's best algorithms ask of their operands. */
    public static final int ALIGNMENT = 256;

    private final Handles.Device base = new Handles.Device();
    private final long byteSize;
    private long used;

    DeviceArena(long bytes) {
        byteSize = bytes;
        Cuda.check(JCudaDriver.cuMemAlloc(base, bytes), "cuMemAlloc of %d bytes".formatted(bytes));
    }

    /** Address of so many bytes; their content is undefined. */
    public long allocate(long bytes) {
        long aligned = aligned(bytes);
        if (aligned > byteSize - used) {
            throw new OutOfDeviceMemoryException(bytes, byteSize - used, byteSize);
        }
        long address = base.address() + used;
        used += aligned;
        return address;
    }

    /** Bytes that an allocation takes. */
    public static long aligned(long bytes) {
        return Math.ceilDiv(Math.max(bytes, 1), ALIGNMENT) * ALIGNMENT;
    }

    public long freeBytes() {
        return byteSize - used;
    }

    public long byteSize() {
        return byteSize;
    }

    @Override
    public void close() {
        Cuda.check(JCudaDriver.cuMemFree(base), "cuMemFree");
    }
}
