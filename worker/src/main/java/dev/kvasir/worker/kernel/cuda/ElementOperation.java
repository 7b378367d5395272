package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Activation;

/** Element-wise operations: a thread takes 16 bytes of one row. */
final class ElementOperation {
    private static final int THREADS = 128;

    private final Stream stream;
    private final PerType<DeviceKernel> gate;
    private final PerType<DeviceKernel> activate;
    private final PerType<DeviceKernel> add;
    private final PerType<DeviceKernel> scale;

    ElementOperation(KernelLibrary library, Stream stream) {
        this.stream = stream;
        gate = library.perType("ElementOperation", "gate");
        activate = library.perType("ElementOperation", "activate");
        add = library.perType("ElementOperation", "add");
        scale = library.perType("ElementOperation", "scale");
    }

    void gate(CudaMatrix gateAndOut, CudaMatrix up, int rows, Activation activation) {
        gate.of(gateAndOut.type())
                .launchEarly(
                        stream, grid(gateAndOut, rows), pair(gateAndOut, up).int32(number(activation)));
    }

    void activate(CudaMatrix x, int rows, Activation activation) {
        activate.of(x.type()).launchEarly(stream, grid(x, rows), one(x).int32(number(activation)));
    }

    void add(CudaMatrix out, CudaMatrix in, int rows, float factor) {
        add.of(out.type()).launchEarly(stream, grid(out, rows), pair(out, in).float32(factor));
    }

    void scale(CudaMatrix x, int rows, float factor, float softcap) {
        scale.of(x.type())
                .launchEarly(stream, grid(x, rows), one(x).float32(factor).float32(softcap));
    }

    /** As the kernels number them. */
    private static int number(Activation activation) {
        return switch (activation) {
            case SILU -> 0;
            case GELU -> 1;
            case GELU_TANH -> 2;
            case RELU -> 3;
        };
    }

    private static Arguments one(CudaMatrix x) {
        return new Arguments().pointer(x.address()).int32(x.stride()).int32(x.columns());
    }

    private static Arguments pair(CudaMatrix x, CudaMatrix y) {
        return new Arguments()
                .pointer(x.address())
                .int32(x.stride())
                .pointer(y.address())
                .int32(y.stride())
                .int32(x.columns());
    }

    private static Grid grid(CudaMatrix x, int rows) {
        int perThread = 16 / x.type().bytes();
        return Grid.of(Math.ceilDiv(x.columns(), THREADS * perThread), rows, THREADS);
    }
}
