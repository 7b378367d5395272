package dev.kvasir.worker.device;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/** A recorded sequence of device work, submitted with one call. */
public final class DeviceGraph implements AutoCloseable {
    private final CUgraphExec executable = new CUgraphExec();

    private DeviceGraph() {}

    static DeviceGraph record(Stream stream, Runnable issue) {
        Cuda.check(
                JCudaDriver.cuStreamBeginCapture(
                        stream.handle(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                "cuStreamBeginCapture");
        var recorded = new CUgraph();
        try {
            issue.run();
        } catch (RuntimeException e) {
            JCudaDriver.cuStreamEndCapture(stream.handle(), recorded);
            throw e;
        }
        Cuda.check(JCudaDriver.cuStreamEndCapture(stream.handle(), recorded), "cuStreamEndCapture");
        var graph = new DeviceGraph();
        try {
            Cuda.check(JCudaDriver.cuGraphInstantiate(graph.executable, recorded, 0), "cuGraphInstantiate");
            Cuda.check(JCudaDriver.cuGraphUpload(graph.executable, stream.handle()), "cuGraphUpload");
        } finally {
            JCudaDriver.cuGraphDestroy(recorded);
        }
        return graph;
    }

    public void launch(Stream stream) {
        int code = JCudaDriver.cuGraphLaunch(executable, stream.handle());
        if (code != 0) {
            throw Cuda.failure(code, "cuGraphLaunch");
        }
    }

    @Override
    public void close() {
        Cuda.check(JCudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
    }
}
