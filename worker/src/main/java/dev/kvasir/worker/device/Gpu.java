package dev.kvasir.worker.device;

import java.util.ArrayDeque;
import java.util.Deque;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * One GPU in use: its primary context, one stream that everything is issued on, and all that was made on it, which is given
 * back when it is closed. Used by one thread at a time, which may change, and which uses no other GPU; {@link #enter} makes the
 * context that thread's.
 */
public final class Gpu implements AutoCloseable {
    private final GpuInfo info;
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final Deque<AutoCloseable> owned = new ArrayDeque<>();
    private final Stream stream;
    private final KernelLauncher launcher;
    private @Nullable Thread user;

    private Gpu(GpuInfo info) {
        this.info = info;
        JCudaDriver.setExceptionsEnabled(false);
        Cuda.check(JCudaDriver.cuDeviceGet(device, info.ordinal()), "cuDeviceGet");
        Cuda.check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
        enter();
        stream = new Stream();
        launcher = new KernelLauncher(info);
    }

    public static Gpu open(GpuInfo info) {
        return new Gpu(info);
    }

    public GpuInfo info() {
        return info;
    }

    public Stream stream() {
        return stream;
    }

    /** One more stream, whose work goes beside that of {@link #stream}, in no order. */
    public Stream besideStream() {
        var beside = new Stream();
        owned.push(beside::close);
        return beside;
    }

    /** For a second thread, with one more stream. */
    public SideUse sideUse() {
        return new SideUse(context, besideStream());
    }

    /** Makes the context the calling thread's, where it is not yet. */
    public void enter() {
        var thread = Thread.currentThread();
        if (!thread.equals(user)) {
            Cuda.check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
            user = thread;
        }
    }

    /** Whether kernels of this GPU can read and write another's memory. */
    public boolean reaches(Gpu other) {
        var can = new int[1];
        Cuda.check(JCudaDriver.cuDeviceCanAccessPeer(can, device, other.device), "cuDeviceCanAccessPeer");
        return can[0] != 0;
    }

    /** Lets kernels of this GPU read and write another's memory; that GPU must be reached. */
    public void reach(Gpu other) {
        enter();
        int code = JCudaDriver.cuCtxEnablePeerAccess(other.context, 0);
        if (code != CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) {
            Cuda.check(code, "cuCtxEnablePeerAccess from GPU %d to %d".formatted(info.ordinal(), other.info.ordinal()));
        }
    }

    /** Bytes that nobody uses, on the whole device. */
    public long freeBytes() {
        var free = new long[1];
        Cuda.check(JCudaDriver.cuMemGetInfo(free, new long[1]), "cuMemGetInfo");
        return free[0];
    }

    /** Takes memory once, to be handed out in pieces. */
    public DeviceArena arena(long bytes) {
        return own(new DeviceArena(bytes));
    }

    public PinnedMemory pinned(long bytes) {
        return own(new PinnedMemory(bytes));
    }

    public KernelModule module(String name, byte[] image) {
        return own(new KernelModule(name, image, launcher));
    }

    public Event event() {
        return own(new Event());
    }

    /** Records what {@code issue} puts on the stream, without running it. */
    public DeviceGraph record(Runnable issue) {
        return own(DeviceGraph.record(stream, issue));
    }

    /** Gives something back together with this, before all that was made earlier and after all that is made later. */
    public <T extends AutoCloseable> T own(T resource) {
        owned.push(resource);
        return resource;
    }

    /** Gives everything back, last made first. Failures are ignored: a broken context cannot give back anything. */
    @Override
    @SuppressWarnings("EmptyCatch") // As the comment of the method says.
    public void close() {
        enter();
        while (!owned.isEmpty()) {
            try {
                owned.pop().close();
            } catch (Exception _) {
            }
        }
        stream.close();
        JCudaDriver.cuDevicePrimaryCtxRelease(device);
        user = null;
    }
}
