package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Weight;
import java.lang.foreign.MemorySegment;

/**
 * A weight where its file is mapped.
 *
 * @param data also keeps the memory alive
 */
record CpuWeight(int rows, int columns, DType dtype, long address, MemorySegment data) implements Weight {
    /** Stands where no operation has run yet. */
    static final CpuWeight NONE = new CpuWeight(0, 0, DType.F32, 0, MemorySegment.NULL);

    long row(int row) {
        return address + row * rowBytes();
    }

    long rowBytes() {
        return (long) columns * dtype.bytes();
    }
}
