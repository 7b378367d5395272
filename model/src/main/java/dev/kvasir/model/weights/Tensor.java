package dev.kvasir.model.weights;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A dense, row-major, little-endian tensor over memory that outlives it: a mapped file, or an arena.
 *
 * @param name as in the file, for messages
 * @param shape dimensions, outermost first
 * @param data exactly the bytes of all elements
 */
public record Tensor(String name, DType dtype, List<Integer> shape, MemorySegment data) {
    public Tensor {
        shape = List.copyOf(shape);
        long elements = 1;
        for (int dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        if (elements * dtype.bytes() != data.byteSize()) {
            throw new IllegalArgumentException("tensor %s of shape %s in %s needs %d bytes, has %d"
                    .formatted(name, shape, dtype, elements * dtype.bytes(), data.byteSize()));
        }
    }

    /** Rows of a matrix; the length of a vector counts as one row of so many columns. */
    public int rows() {
        return shape.size() == 1 ? 1 : shape.getFirst();
    }

    /** Product of all dimensions but the first; the length of a vector. */
    public int columns() {
        return shape.size() == 1 ? shape.getFirst() : shape.stream().skip(1).reduce(1, Math::multiplyExact);
    }
}
