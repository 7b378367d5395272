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
    private final DeviceKernel fillScaled;

    Fill(KernelLibrary library, Stream stream) {
        this.stream = stream;
        fill = library.perType("Fill", "fill");
        fillScaled = library.kernel("Fill", "fill_fp8");
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

    /** KV blocks: numbers uniform in [-1, 1), or, of FP8, random ones of 1.875 at most with scales of 1. */
    void blocks(CudaKvStorage storage, long seed) {
        var layout = storage.layout();
        if (!layout.format().scaled()) {
            var type = layout.format().dtype();
            run(storage.address(), type, storage.byteSize() / type.bytes(), 0, 1, seed);
            return;
        }
        fillScaled.launch(
                stream,
                Grid.of(BLOCKS, THREADS),
                new Arguments()
                        .pointer(storage.address())
                        .int64(storage.byteSize() / Integer.BYTES)
                        .int64(layout.bytesPerLayerBlock() / Integer.BYTES)
                        .int64(layout.scales(1, 0, 0, 0) / Integer.BYTES)
                        .int64(seed));
    }
}
