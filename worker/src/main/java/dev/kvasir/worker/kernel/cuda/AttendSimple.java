package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.AttentionShape;

/** Attention for every head size and type: one thread block per row and query head. */
final class AttendSimple {
    private static final int THREADS = 128;

    /** Elements of a value head that the threads of a block can hold. */
    static final int VALUE_SIZE_MAX = 4 * THREADS;

    private final Stream stream;
    private final PerType<PerFormat<DeviceKernel>> attend;

    AttendSimple(KernelLibrary library, Stream stream) {
        this.stream = stream;
        attend = library.perTypeAndFormat("AttendSimple", "attend_simple");
    }

    void run(CudaMatrix out, CudaMatrix query, CudaKvStorage kv, int layer, BatchMirror batch, AttentionShape shape) {
        var layout = kv.layout();
        if (layout.valueSize() > VALUE_SIZE_MAX) {
            throw new IllegalArgumentException(
                    "value heads of %d elements, at most %d".formatted(layout.valueSize(), VALUE_SIZE_MAX));
        }
        attend.of(query.type())
                .of(layout.format())
                .launchEarly(
                        stream,
                        Grid.of(batch.rows(), shape.headCount(), THREADS).withShared(layout.keySize() * Float.BYTES),
                        new Arguments()
                                .pointer(out.address())
                                .int32(out.stride())
                                .pointer(query.address())
                                .int32(query.stride())
                                .pointer(kv.layer(layer))
                                .int64(kv.blockStride())
                                .int32(layout.blockSize())
                                .int32(shape.headCount())
                                .int32(shape.kvHeadCount())
                                .int32(layout.keySize())
                                .int32(layout.valueSize())
                                .float32(shape.scale())
                                .int32(shape.window())
                                .float32(shape.softcap())
                                .pointer(batch.positions())
                                .pointer(batch.rowSequence())
                                .pointer(batch.blockTables())
                                .int32(batch.tableStride()));
    }
}
