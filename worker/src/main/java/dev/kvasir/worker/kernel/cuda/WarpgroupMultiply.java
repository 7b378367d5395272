package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.TensorMap;
import dev.kvasir.worker.kernel.Activation;
import java.util.HashMap;
import java.util.Map;

/**
 * Products of some rows on Hopper, bound by reading the weight once. Launched early: their blocks fill a multiprocessor each,
 * so they come when the product before has gone, and read weights while small kernels in between still compute the input.
 */
final class WarpgroupMultiply {
    private static final int CAPABILITY = 90;
    private static final int ROWS_MAX = 256;
    private static final int ROWS_STEP = 64;
    private static final int TILE = 128;
    private static final int STEP = 64;
    private static final int THREADS = 384;
    private static final int ARRIVALS = 2;
    private static final int SHARED_MAX = 221 << 10;
    /** Fewer blocks than multiprocessors are taken where they cut tiles evenly, down to this share. */
    private static final double BLOCKS_SHARE_MIN = 0.7;

    private final Gpu gpu;
    private final KernelLibrary library;
    private final long partials;
    private final long arrivals;
    private final TensorMap.Encoder encoder = new TensorMap.Encoder();
    private final Map<TensorMap.Source, TensorMap> maps = new HashMap<>();
    private final Map<String, DeviceKernel> kernels = new HashMap<>();

    /**
     * Takes what it needs of the device.
     *
     * @param partials workspace that may be used for the time of a product, {@link #partialBytes}
     */
    WarpgroupMultiply(Gpu gpu, KernelLibrary library, DeviceArena arena, long partials) {
        this.gpu = gpu;
        this.library = library;
        this.partials = partials;
        long bytes = (long) gpu.info().multiprocessors() * ARRIVALS * Integer.BYTES;
        arrivals = arena.allocate(bytes);
        gpu.stream().clear(arrivals, bytes);
    }

    /** Whether a GPU has what these kernels are made of. */
    static boolean runsOn(Gpu gpu, long workspaceBytes) {
        return gpu.info().computeCapability() == CAPABILITY && partialBytes(gpu) <= workspaceBytes;
    }

    private static long partialBytes(Gpu gpu) {
        return (long) gpu.info().multiprocessors() * ROWS_MAX * TILE * Float.BYTES;
    }

    /** Whether there is a kernel for it. */
    boolean takes(CublasLt.Shape shape, long out, long in, long weight) {
        return shape.rows() <= ROWS_MAX
                && shape.type() != CublasLt.Type.F32
                && shape.inputs() % 8 == 0
                && shape.inStride() % 8 == 0
                && in % 16 == 0
                && weight % 16 == 0
                && (shape.outType() == CublasLt.Type.F32
                        || (shape.outputs() % 8 == 0 && shape.outStride() % 8 == 0 && out % 16 == 0));
    }

    /** Issues a product; {@code bias} is 0 where the shape has none. */
    void run(CublasLt.Shape shape, long out, long in, long weight, long bias) {
        var map = new TensorMap.Source(weight, shape.outputs(), shape.inputs(), shape.inputs(), TILE, false);
        launch(shape, shape.outType() == CublasLt.Type.F32 ? "_f32" : "", TILE, out, in, map, bias, 0);
    }

    /**
     * out = activation(gate) * up, where the first half of the weight's rows makes the gate and the second half up.
     *
     * @param shape with as many outputs as half of the weight's rows
     */
    void gated(CublasLt.Shape shape, long out, long in, long weight, Activation activation) {
        var map = new TensorMap.Source(weight, 2 * shape.outputs(), shape.inputs(), shape.inputs(), TILE, true);
        launch(shape, "_gated", TILE / 2, out, in, map, 0, SkinnyMultiply.number(activation));
    }

    private void launch(
            CublasLt.Shape shape,
            String suffix,
            int columns,
            long out,
            long in,
            TensorMap.Source weight,
            long bias,
            int activation) {
        int rowsMax = Math.ceilDiv(shape.rows(), ROWS_STEP) * ROWS_STEP;
        int stage = (TILE + rowsMax) * STEP * Short.BYTES;
        int shared = 1024 + (SHARED_MAX - 1024) / stage * stage;
        var name = "warpgroup_multiply_%s_%d%s".formatted(KernelLibrary.suffix(shape.type()), rowsMax, suffix);
        int tiles = Math.ceilDiv(shape.outputs(), columns);
        int steps = Math.ceilDiv(shape.inputs(), STEP);
        var input = new TensorMap.Source(in, shape.rows(), shape.inputs(), shape.inStride(), rowsMax, false);
        kernels.computeIfAbsent(
                        name, _ -> library.kernel("WarpgroupMultiply", name).withSharedBytes(shared))
                .launchEarly(
                        gpu.stream(),
                        Grid.of(blocks(tiles, steps, gpu.info().multiprocessors()), THREADS)
                                .withShared(shared),
                        Arguments.of(
                                        maps.computeIfAbsent(weight, encoder::encode),
                                        maps.computeIfAbsent(input, encoder::encode))
                                .pointer(out)
                                .pointer(bias)
                                .pointer(partials)
                                .pointer(arrivals)
                                .int32(shape.outStride())
                                .int32(shape.rows())
                                .int32(shape.outputs())
                                .int32(shape.inputs())
                                .int32(shape.accumulate() ? 1 : 0)
                                .int32(activation));
    }

    /** As many as multiprocessors, or somewhat fewer where whole tiles or equal parts of tiles then go to each. */
    static int blocks(int tiles, int steps, int multiprocessors) {
        if ((long) tiles * steps <= multiprocessors) {
            return tiles * steps;
        }
        int each = Math.ceilDiv(tiles, multiprocessors);
        int even = tiles > multiprocessors ? tiles % each == 0 ? tiles / each : 0 : multiprocessors / tiles * tiles;
        return even >= BLOCKS_SHARE_MIN * multiprocessors ? even : multiprocessors;
    }
}
