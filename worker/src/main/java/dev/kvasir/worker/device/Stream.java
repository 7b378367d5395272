package dev.kvasir.worker.device;

import jcuda.driver.CUDA_MEMCPY2D;
import jcuda.driver.CUmemorytype;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** Work for the device, in order. Host memory that takes part in a copy must be pinned, or the copy waits. */
public final class Stream {
    private final Handles.StreamHandle handle = new Handles.StreamHandle();

    Stream() {
        Cuda.check(JCudaDriver.cuStreamCreate(handle, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    }

    CUstream handle() {
        return handle;
    }

    /** For libraries that are called through the foreign-function API. */
    long address() {
        return handle.address();
    }

    /** Waits until all that was issued is done. */
    public void synchronize() {
        Cuda.check(JCudaDriver.cuStreamSynchronize(handle), "cuStreamSynchronize");
    }

    /** What is issued from now on begins when what an event was last recorded after is done. */
    public void waitFor(Event event) {
        Cuda.check(JCudaDriver.cuStreamWaitEvent(handle, event.handle(), 0), "cuStreamWaitEvent");
    }

    public void copyToDevice(long device, long host, long bytes) {
        Cuda.check(
                JCudaDriver.cuMemcpyHtoDAsync(Handles.device(device), new Handles.Host(host), bytes, handle),
                "cuMemcpyHtoDAsync");
    }

    public void copyToHost(long host, long device, long bytes) {
        Cuda.check(
                JCudaDriver.cuMemcpyDtoHAsync(new Handles.Host(host), Handles.device(device), bytes, handle),
                "cuMemcpyDtoHAsync");
    }

    public void copyOnDevice(long to, long from, long bytes) {
        Cuda.check(
                JCudaDriver.cuMemcpyDtoDAsync(Handles.device(to), Handles.device(from), bytes, handle),
                "cuMemcpyDtoDAsync");
    }

    /** Copies the first {@code bytes} of each of {@code rows} rows, which lie so many bytes apart on either side. */
    public void copyRowsToDevice(long device, long devicePitch, long host, long hostPitch, long bytes, int rows) {
        var copy = new CUDA_MEMCPY2D();
        copy.srcMemoryType = CUmemorytype.CU_MEMORYTYPE_HOST;
        copy.srcHost = new Handles.Host(host);
        copy.srcPitch = hostPitch;
        copy.dstMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
        copy.dstDevice = Handles.device(device);
        copy.dstPitch = devicePitch;
        copy.WidthInBytes = bytes;
        copy.Height = rows;
        Cuda.check(JCudaDriver.cuMemcpy2DAsync(copy, handle), "cuMemcpy2DAsync");
    }

    /** The same in the other direction. */
    public void copyRowsToHost(long host, long hostPitch, long device, long devicePitch, long bytes, int rows) {
        var copy = new CUDA_MEMCPY2D();
        copy.srcMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
        copy.srcDevice = Handles.device(device);
        copy.srcPitch = devicePitch;
        copy.dstMemoryType = CUmemorytype.CU_MEMORYTYPE_HOST;
        copy.dstHost = new Handles.Host(host);
        copy.dstPitch = hostPitch;
        copy.WidthInBytes = bytes;
        copy.Height = rows;
        Cuda.check(JCudaDriver.cuMemcpy2DAsync(copy, handle), "cuMemcpy2DAsync");
    }

    /** The same within the device. */
    public void copyRowsOnDevice(long to, long toPitch, long from, long fromPitch, long bytes, int rows) {
        var copy = new CUDA_MEMCPY2D();
        copy.srcMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
        copy.srcDevice = Handles.device(from);
        copy.srcPitch = fromPitch;
        copy.dstMemoryType = CUmemorytype.CU_MEMORYTYPE_DEVICE;
        copy.dstDevice = Handles.device(to);
        copy.dstPitch = toPitch;
        copy.WidthInBytes = bytes;
        copy.Height = rows;
        Cuda.check(JCudaDriver.cuMemcpy2DAsync(copy, handle), "cuMemcpy2DAsync");
    }

    /** Writes zeros. */
    public void clear(long device, long bytes) {
        Cuda.check(JCudaDriver.cuMemsetD8Async(Handles.device(device), (byte) 0, bytes, handle), "cuMemsetD8Async");
    }

    void close() {
        JCudaDriver.cuStreamDestroy(handle);
    }
}
