package dev.kvasir.worker.kernel;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Matrices that are computed from one input.
 *
 * @param whole all of them side by side, where a device keeps them so that one product can write them
 */
public record MatrixGroup(List<Matrix> parts, @Nullable Matrix whole) {
    public MatrixGroup {
        parts = List.copyOf(parts);
    }
}
