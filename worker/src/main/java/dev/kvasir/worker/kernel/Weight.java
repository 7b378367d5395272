package dev.kvasir.worker.kernel;

/**
 * A weight where a device reads it: a matrix of [rows, columns] = [outputs, inputs], or a vector as one row. Kept in its
 * stored element type.
 */
public interface Weight {
    int rows();

    int columns();
}
