package dev.kvasir.worker.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** A key or value of one token and head, from and to the bytes of a KV block: as each {@link KvFormat} is defined. */
final class KvRow {
    private KvRow() {}

    /**
     * Stores a row.
     *
     * @param at its first byte
     * @param scaleAt where its scale is, if the format has one
     */
    static void write(MemorySegment data, KvFormat format, long at, long scaleAt, float[] row) {
        if (!format.scaled()) {
            for (int i = 0; i < row.length; i++) {
                StoredFloats.set(data, format.dtype(), at / format.elementBytes() + i, row[i]);
            }
            return;
        }
        float largest = 0;
        for (float element : row) {
            largest = Float.isNaN(element) ? largest : Math.max(largest, Math.abs(element));
        }
        float scale = E4m3.scale(largest);
        float inverse = 1 / scale;
        for (int i = 0; i < row.length; i++) {
            data.set(JAVA_BYTE, at + i, E4m3.encode(row[i] * inverse));
        }
        data.set(JAVA_SHORT_UNALIGNED, scaleAt, Float.floatToFloat16(scale));
    }

    static void read(MemorySegment data, KvFormat format, long at, long scaleAt, float[] row) {
        if (!format.scaled()) {
            for (int i = 0; i < row.length; i++) {
                row[i] = StoredFloats.get(data, format.dtype(), at / format.elementBytes() + i);
            }
            return;
        }
        float scale = Float.float16ToFloat(data.get(JAVA_SHORT_UNALIGNED, scaleAt));
        for (int i = 0; i < row.length; i++) {
            row[i] = E4m3.decode(data.get(JAVA_BYTE, at + i)) * scale;
        }
    }
}
