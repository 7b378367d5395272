package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;

/** Weights made of random numbers. */
final class Fill {
    private static final int THREADS = 256;
    private static final int BLOCKS = 2048;

    private final Stream stream;
    private final PerType<DeviceKernel> fill;

    Fill(KernelLibrary library, Stream stream) {
        this.stream = stream;
        fill = library.perType("Fill", "fill");
    }

    void run(long address, DType type, long count, float middle, float bound, long seed) {
        fill.of(type)
                .launch(
                        stream,
                        Grid.of(BLOCKS, THREADS),
                        new Arguments()
                                .pointer(address)
                                .int64(count)
                                .float32(middle)
                                .float32(bound)
                                .int64(seed));
    }
}
