package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.StoredFloats;
import java.util.Arrays;

/** A step's keys and values into their slots, rounded to the type of the cache. */
final class KvWrite extends RowOperation {
    private final WorkerThreads threads;
    private CpuKvStorage kv = CpuKvStorage.NONE;
    private CpuMatrix key = CpuMatrix.NONE;
    private CpuMatrix value = CpuMatrix.NONE;
    private Batch batch = new Batch(0, 0);
    private int layer;
    private int[] sequenceOfRow = new int[0];

    KvWrite(WorkerThreads threads) {
        this.threads = threads;
    }

    void run(CpuKvStorage kv, int layer, CpuMatrix key, CpuMatrix value, Batch batch) {
        this.kv = kv;
        this.layer = layer;
        this.key = key;
        this.value = value;
        this.batch = batch;
        if (sequenceOfRow.length < batch.rowCount) {
            sequenceOfRow = new int[batch.rowsMax()];
        }
        for (int s = 0; s < batch.sequenceCount; s++) {
            Arrays.fill(sequenceOfRow, batch.rowStart[s], batch.rowStart[s + 1], s);
        }
        run(threads, batch.rowCount, key.columns() + value.columns());
    }

    @Override
    void row(int row, int thread) {
        KvLayout layout = kv.layout();
        int sequence = sequenceOfRow[row];
        int position = batch.contextLength[sequence] - batch.rowStart[sequence + 1] + row;
        int block = batch.blockTables[sequence][position / layout.blockSize()];
        long slot = position % layout.blockSize();
        int bytes = layout.format().elementBytes();
        for (int head = 0; head < layout.kvHeadCount(); head++) {
            long keyFrom = key.row(row) + 4L * head * layout.keySize();
            long keyTo = kv.keys(layer, block, head) + slot * layout.keySize() * bytes;
            long valueFrom = value.row(row) + 4L * head * layout.valueSize();
            long valueTo = kv.values(layer, block, head) + slot * layout.valueSize() * bytes;
            if (layout.format().scaled()) {
                long scale = kv.scales(layer, block, head) + slot * KvLayout.SCALE_BYTES;
                ScaledRow.store(keyFrom, keyTo, scale, layout.keySize());
                ScaledRow.store(valueFrom, valueTo, scale + Short.BYTES, layout.valueSize());
            } else {
                store(layout.format(), keyFrom, keyTo, layout.keySize());
                store(layout.format(), valueFrom, valueTo, layout.valueSize());
            }
        }
    }

    private static void store(KvFormat format, long from, long to, int count) {
        switch (format) {
            case F32 -> Memory.copy(from, to, 4L * count);
            case F16 -> {
                for (int i = 0; i < count; i++) {
                    Memory.setShort(to + 2L * i, Float.floatToFloat16(Memory.get(from + 4L * i)));
                }
            }
            case BF16 -> {
                for (int i = 0; i < count; i++) {
                    Memory.setShort(to + 2L * i, StoredFloats.toBfloat16(Memory.get(from + 4L * i)));
                }
            }
            case FP8 -> throw new IllegalStateException("rows of FP8 are stored with their scale");
        }
    }
}
