package dev.kvasir.worker.device;

import jcuda.driver.CUcontext;
import jcuda.driver.JCudaDriver;

/**
 * A GPU for a second thread, beside the one that {@link Gpu} is used by: with a stream of its own, whose work goes beside that
 * of the first. Any thread may call {@link #enter}, and the others after it; the user sees to it that only one does at a time.
 */
public final class SideUse {
    private final CUcontext context;
    private final Stream stream;
    private final SharedMemory sharedMemory = new SharedMemory();

    SideUse(CUcontext context, Stream stream) {
        this.context = context;
        this.stream = stream;
    }

    /** Makes the context the calling thread's. */
    public void enter() {
        Cuda.check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
    }

    public Stream stream() {
        return stream;
    }

    public SharedMemory sharedMemory() {
        return sharedMemory;
    }
}
