package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.kernel.KvFormat;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/** One thing for each way of storing keys and values. */
final class PerFormat<T> {
    private final Map<KvFormat, T> things = new EnumMap<>(KvFormat.class);

    PerFormat(Function<KvFormat, T> make) {
        for (var format : KvFormat.values()) {
            things.put(format, make.apply(format));
        }
    }

    T of(KvFormat format) {
        return Objects.requireNonNull(things.get(format));
    }
}
