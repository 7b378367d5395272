package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import java.util.function.Function;

/** One thing for each element type. */
final class PerType<T> {
    private final T f32;
    private final T f16;
    private final T bf16;

    PerType(Function<DType, T> make) {
        f32 = make.apply(DType.F32);
        f16 = make.apply(DType.F16);
        bf16 = make.apply(DType.BF16);
    }

    T of(DType type) {
        return switch (type) {
            case F32 -> f32;
            case F16 -> f16;
            case BF16 -> bf16;
        };
    }
}
