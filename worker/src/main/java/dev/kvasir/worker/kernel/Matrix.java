package dev.kvasir.worker.kernel;

/**
 * Activations: a row-major matrix of 32-bit floats where a device keeps them, allocated once. One row is one token of a
 * batch. Only the {@link Kernels} that allocated a matrix may compute with it.
 */
public interface Matrix {
    int rowsMax();

    int columns();

    /** A row of this matrix into {@code destination}, from its start. Waits for the device. */
    void read(int row, float[] destination);
}
