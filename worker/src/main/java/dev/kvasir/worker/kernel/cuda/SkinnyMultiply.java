package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Activation;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Products of few rows, bound by reading the weight once. Launched after their predecessor has ended: begun before, their
 * blocks fill the device while the predecessor still needs it, and whole steps take longer.
 */
final class SkinnyMultiply {
    static final int ROWS_MAX = 16;
    private static final int THREADS = 256;
    private static final int COLUMNS = 16;

    private final KernelLibrary library;
    private final Stream stream;
    private final Map<String, DeviceKernel> kernels = new HashMap<>();

    SkinnyMultiply(KernelLibrary library, Stream stream) {
        this.library = library;
        this.stream = stream;
    }

    /** Whether there is a kernel for it. */
    static boolean takes(CudaMatrix in, int rows, CudaWeight weight) {
        return rows <= ROWS_MAX
                && in.type() != DType.F32
                && weight.columns() % 8 == 0
                && in.stride() % 8 == 0
                && in.address() % 16 == 0;
    }

    void run(
            CudaMatrix out, CudaMatrix in, int rows, CudaWeight weight, @Nullable CudaWeight bias, boolean accumulate) {
        launch(out, in, rows, weight, weight.rows(), bias, accumulate, 0, out.type() == DType.F32 ? "_f32" : "");
    }

    /** out = activation(gate) * up, where the weight's first half of rows makes the gate and its second half up. */
    void gated(CudaMatrix out, CudaMatrix in, int rows, CudaWeight weight, Activation activation) {
        launch(out, in, rows, weight, weight.rows() / 2, null, false, number(activation), "_gated");
    }

    private void launch(
            CudaMatrix out,
            CudaMatrix in,
            int rows,
            CudaWeight weight,
            int outputs,
            @Nullable CudaWeight bias,
            boolean accumulate,
            int activation,
            String suffix) {
        var name = "skinny_multiply_%s_%d%s".formatted(KernelLibrary.suffix(in.type()), rows <= 8 ? 8 : 16, suffix);
        kernels.computeIfAbsent(name, _ -> library.kernel("SkinnyMultiply", name))
                .launch(
                        stream,
                        Grid.of(Math.ceilDiv(outputs, COLUMNS), THREADS),
                        new Arguments()
                                .pointer(out.address())
                                .pointer(in.address())
                                .pointer(weight.address())
                                .pointer(bias == null ? 0 : bias.address())
                                .int32(out.stride())
                                .int32(in.stride())
                                .int32(rows)
                                .int32(outputs)
                                .int32(weight.columns())
                                .int32(accumulate ? 1 : 0)
                                .int32(activation));
    }

    /** As the kernel numbers them. */
    static int number(Activation activation) {
        return switch (activation) {
            case SILU -> 0;
            case GELU_TANH -> 1;
            case GELU -> 2;
            case RELU -> 3;
        };
    }
}
