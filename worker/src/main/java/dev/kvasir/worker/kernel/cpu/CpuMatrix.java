package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.worker.kernel.Matrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Activations in native memory.
 *
 * @param stride floats from one row to the next
 * @param data also keeps the memory alive
 */
record CpuMatrix(int rowsMax, int columns, int stride, long address, MemorySegment data) implements Matrix {
    /** Stands where no operation has run yet. */
    static final CpuMatrix NONE = new CpuMatrix(0, 0, 0, 0, MemorySegment.NULL);

    long row(int row) {
        return address + (long) row * stride * Float.BYTES;
    }

    @Override
    public void read(int row, float[] destination) {
        if (row < 0 || row >= rowsMax) {
            throw new IllegalArgumentException("row %d is outside [0, %d)".formatted(row, rowsMax));
        }
        MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, (long) row * stride * Float.BYTES, destination, 0, columns);
    }
}
