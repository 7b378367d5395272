package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;

/**
 * How keys and values are stored.
 *
 * <p>F32, F16, BF16: element by element. FP8: as {@link E4m3} numbers with two scales for each token and KV head: one of its
 * key, one of its value.
 */
public enum KvFormat {
    F32(4),
    F16(2),
    BF16(2),
    FP8(1);

    private final int elementBytes;

    KvFormat(int elementBytes) {
        this.elementBytes = elementBytes;
    }

    /** Elements stored as they are. */
    public static KvFormat of(DType dtype) {
        return switch (dtype) {
            case F32 -> F32;
            case F16 -> F16;
            case BF16 -> BF16;
        };
    }

    public int elementBytes() {
        return elementBytes;
    }

    /** Whether elements are stored by scales of their token and head. */
    public boolean scaled() {
        return this == FP8;
    }

    /** Type of elements that have no scale. */
    public DType dtype() {
        return switch (this) {
            case F32 -> DType.F32;
            case F16 -> DType.F16;
            case BF16 -> DType.BF16;
            case FP8 -> throw new IllegalStateException("elements of FP8 mean nothing without their scale");
        };
    }
}
