package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.RotaryTable;

/** Rotary positions, and keys and values on their way into the blocks. */
final class Rotation {
    private static final int THREADS = 128;
    /** KV heads that a thread block may have together, where no scale is sought for each. */
    private static final int HEADS_TOGETHER = 4;

    private final Stream stream;
    private final PerType<DeviceKernel> rotate;
    private final PerType<PerFormat<DeviceKernel>> rotateWrite;

    /**
     * Rotary frequencies where kernels read them.
     *
     * @param address of {@code pairs} floats
     */
    record Frequencies(long address, int pairs, float factor, boolean interleaved) {
        /** Rotates nothing. */
        static final Frequencies NONE = new Frequencies(0, 0, 1, false);

        static Frequencies of(RotaryTable table, long address) {
            return new Frequencies(
                    address, table.inverseFrequencies().length, table.attentionFactor(), table.interleaved());
        }

        int sharedBytes() {
            return 2 * pairs * Float.BYTES;
        }
    }

    Rotation(KernelLibrary library, Stream stream) {
        this.stream = stream;
        rotate = library.perType("Rotation", "rotate");
        rotateWrite = library.perTypeAndFormat("Rotation", "rotate_write");
    }

    void rotate(CudaMatrix heads, int rows, int headSize, Frequencies frequencies, long positions) {
        rotate.of(heads.type())
                .launchEarly(
                        stream,
                        Grid.of(rows, THREADS).withShared(frequencies.sharedBytes()),
                        new Arguments()
                                .pointer(heads.address())
                                .int32(heads.stride())
                                .int32(heads.columns() / headSize)
                                .int32(headSize)
                                .pointer(frequencies.address())
                                .int32(frequencies.pairs())
                                .float32(frequencies.factor())
                                .int32(frequencies.interleaved() ? 1 : 0)
                                .pointer(positions));
    }

    /** Without a query only keys and values are written. */
    void rotateWrite(
            CudaMatrix query,
            int queryHeads,
            CudaMatrix key,
            CudaMatrix value,
            Frequencies frequencies,
            CudaKvStorage kv,
            int layer,
            BatchMirror batch) {
        var layout = kv.layout();
        DType type = key.type();
        // A row that is stored by a scale is kept until its largest element is known.
        int rowBytes = layout.format().scaled() ? (layout.keySize() + layout.valueSize()) * Float.BYTES : 0;
        boolean together = !layout.format().scaled() && layout.kvHeadCount() % HEADS_TOGETHER == 0;
        int parts = together ? layout.kvHeadCount() / HEADS_TOGETHER : layout.kvHeadCount();
        rotateWrite
                .of(type)
                .of(layout.format())
                .launchEarly(
                        stream,
                        Grid.of(batch.rows(), parts, together ? 2 * THREADS : THREADS)
                                .withShared(frequencies.sharedBytes() + rowBytes),
                        new Arguments()
                                .pointer(query.address())
                                .int32(query.stride())
                                .pointer(key.address())
                                .int32(key.stride())
                                .pointer(value.address())
                                .int32(value.stride())
                                .pointer(kv.layer(layer))
                                .int64(kv.blockStride())
                                .int32(layout.blockSize())
                                .int32(queryHeads)
                                .int32(layout.kvHeadCount())
                                .int32(layout.keySize())
                                .int32(layout.valueSize())
                                .pointer(frequencies.address())
                                .int32(frequencies.pairs())
                                .float32(frequencies.factor())
                                .int32(frequencies.interleaved() ? 1 : 0)
                                .pointer(batch.positions())
                                .pointer(batch.rowSequence())
                                .pointer(batch.blockTables())
                                .int32(batch.tableStride()));
    }
}
