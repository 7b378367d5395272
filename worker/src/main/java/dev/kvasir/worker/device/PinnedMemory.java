package dev.kvasir.worker.device;

import java.lang.foreign.MemorySegment;
import jcuda.driver.JCudaDriver;

/** Host memory that the device reads and writes directly. */
public final class PinnedMemory implements AutoCloseable {
    private final Handles.Host base = new Handles.Host();
    private final MemorySegment data;

    PinnedMemory(long bytes) {
        Cuda.check(JCudaDriver.cuMemHostAlloc(base, bytes, 0), "cuMemHostAlloc of %d bytes".formatted(bytes));
        data = MemorySegment.ofAddress(base.address()).reinterpret(bytes);
    }

    public MemorySegment data() {
        return data;
    }

    public long address() {
        return data.address();
    }

    @Override
    public void close() {
        Cuda.check(JCudaDriver.cuMemFreeHost(base), "cuMemFreeHost");
    }
}
