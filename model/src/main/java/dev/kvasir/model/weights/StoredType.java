package dev.kvasir.model.weights;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Element types that a safetensors file may hold; kernels compute from some of them. */
enum StoredType {
    BOOL(1, null),
    U8(1, null),
    I8(1, null),
    F8_E5M2(1, null),
    F8_E4M3(1, null),
    F8_E8M0(1, null),
    I16(2, null),
    U16(2, null),
    F16(2, DType.F16),
    BF16(2, DType.BF16),
    I32(4, null),
    U32(4, null),
    F32(4, DType.F32),
    F64(8, null),
    I64(8, null),
    U64(8, null);

    private final int bytes;
    private final @Nullable DType computable;

    StoredType(int bytes, @Nullable DType computable) {
        this.bytes = bytes;
        this.computable = computable;
    }

    int bytes() {
        return bytes;
    }

    Optional<DType> computable() {
        return Optional.ofNullable(computable);
    }

    static Optional<StoredType> named(String name) {
        for (var type : values()) {
            if (type.name().equals(name)) {
                return Optional.of(type);
            }
        }
        return Optional.empty();
    }
}
