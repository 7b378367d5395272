package dev.kvasir.worker.device;

import jcuda.driver.CUevent;
import jcuda.driver.JCudaDriver;

/** A point in a stream, with the time when the device passed it. */
public final class Event implements AutoCloseable {
    private final CUevent handle = new CUevent();

    Event() {
        Cuda.check(JCudaDriver.cuEventCreate(handle, 0), "cuEventCreate");
    }

    CUevent handle() {
        return handle;
    }

    public void record(Stream stream) {
        Cuda.check(JCudaDriver.cuEventRecord(handle, stream.handle()), "cuEventRecord");
    }

    /** Waits until the device has passed it. */
    public void synchronize() {
        Cuda.check(JCudaDriver.cuEventSynchronize(handle), "cuEventSynchronize");
    }

    /** Milliseconds on the device since an earlier event; both have passed. */
    public float millisSince(Event earlier) {
        var millis = new float[1];
        Cuda.check(JCudaDriver.cuEventElapsedTime(millis, earlier.handle, handle), "cuEventElapsedTime");
        return millis[0];
    }

    @Override
    public void close() {
        Cuda.check(JCudaDriver.cuEventDestroy(handle), "cuEventDestroy");
    }
}
