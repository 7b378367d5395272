package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import org.jspecify.annotations.Nullable;

/** Norms: one thread block per row, or per row and group of columns. */
final class Norm {
    private static final int THREADS_MAX = 512;

    private final Stream stream;
    private final PerType<DeviceKernel> rms;
    private final PerType<DeviceKernel> layer;

    Norm(KernelLibrary library, Stream stream) {
        this.stream = stream;
        rms = library.perType("Norm", "rms_norm");
        layer = library.perType("Norm", "layer_norm");
    }

    void rms(CudaMatrix out, CudaMatrix in, int rows, CudaWeight weight, int groups, float epsilon, float offset) {
        int perThread = 16 / out.type().bytes();
        rms.of(out.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, groups, threads(Math.ceilDiv(weight.columns(), perThread))),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(in.address())
                                .int32(in.stride())
                                .pointer(weight.floats())
                                .int32(weight.columns())
                                .float32(epsilon)
                                .float32(offset));
    }

    void layer(CudaMatrix out, CudaMatrix in, int rows, CudaWeight weight, @Nullable CudaWeight bias, float epsilon) {
        layer.of(out.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, threads(weight.columns())),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(in.address())
                                .int32(in.stride())
                                .pointer(weight.floats())
                                .pointer(bias == null ? 0 : bias.floats())
                                .int32(weight.columns())
                                .float32(epsilon));
    }

    /** Whole warps, enough for so many pieces of work. */
    private static int threads(int pieces) {
        return Math.clamp(Math.ceilDiv(pieces, 32) * 32L, 32, THREADS_MAX);
    }
}
