package dev.kvasir.worker.forward;

import dev.kvasir.worker.forward.AttentionBlock.Projection;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MatrixGroup;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Projections of one input.
 *
 * @param whole all of them as one, where a device computes them so
 */
record ProjectionGroup(
        Kernels kernels, List<Projection> parts, @Nullable Projection whole) {

    /** Joins weights, and biases where all have one, as far as the kernels want it. */
    static ProjectionGroup of(Kernels kernels, List<Projection> parts) {
        return new ProjectionGroup(kernels, parts, joined(kernels, parts));
    }

    private static @Nullable Projection joined(Kernels kernels, List<Projection> parts) {
        var biases = parts.stream().map(Projection::bias).toList();
        var present = biases.stream().flatMap(Stream::ofNullable).toList();
        if (!present.isEmpty() && present.size() < parts.size()) {
            return null;
        }
        var weight = kernels.join(parts.stream().map(Projection::weight).toList());
        if (weight == null) {
            return null;
        }
        var bias = present.isEmpty() ? null : kernels.join(present);
        return present.isEmpty() || bias != null ? new Projection(weight, bias) : null;
    }

    void apply(MatrixGroup outs, Matrix in, int rows) {
        if (whole != null && outs.whole() != null) {
            kernels.multiply(outs.whole(), in, rows, whole.weight(), whole.bias(), false);
            return;
        }
        for (int i = 0; i < parts.size(); i++) {
            var part = parts.get(i);
            kernels.multiply(outs.parts().get(i), in, rows, part.weight(), part.bias(), false);
        }
    }
}
