package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.kernel.Weight;

/**
 * A weight in device memory, in the type of activations.
 *
 * @param floats of vectors, their elements as floats too: norms compute with those
 */
record CudaWeight(int rows, int columns, long address, long floats) implements Weight {}
