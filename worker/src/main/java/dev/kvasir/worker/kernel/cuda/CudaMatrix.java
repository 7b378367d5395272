package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Matrix;

/**
 * Activations in device memory, possibly some columns of a wider matrix.
 *
 * @param stride elements from one row to the next
 * @param reader copies rows to the host
 */
record CudaMatrix(int rowsMax, int columns, int stride, DType type, long address, RowReader reader) implements Matrix {
    /** Copies a row to the host. */
    @FunctionalInterface
    interface RowReader {
        void read(CudaMatrix matrix, int row, float[] destination);
    }

    long row(int row) {
        return address + (long) row * stride * type.bytes();
    }

    CudaMatrix view(int from, int count) {
        return new CudaMatrix(rowsMax, count, stride, type, address + (long) from * type.bytes(), reader);
    }

    /** The same memory as a matrix of so many columns. */
    CudaMatrix dense(int count) {
        return new CudaMatrix(rowsMax, count, count, type, address, reader);
    }

    @Override
    public void read(int row, float[] destination) {
        if (row < 0 || row >= rowsMax) {
            throw new IllegalArgumentException("row %d is outside [0, %d)".formatted(row, rowsMax));
        }
        reader.read(this, row, destination);
    }
}
