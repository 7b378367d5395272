package dev.kvasir.kvstore.store;

import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.function.ToDoubleFunction;

/**
 * A sum of what things that come and go have counted, which never falls: what those that went had counted when they were last
 * seen stays in it. Thread-safe.
 */
final class LastingTotal<T> {
    private final ToDoubleFunction<T> count;
    private IdentityHashMap<T, Double> seen = new IdentityHashMap<>();
    private double ofGone;

    LastingTotal(ToDoubleFunction<T> count) {
        this.count = count;
    }

    /** The sum, with those that are there now. */
    synchronized double of(Collection<T> present) {
        var now = new IdentityHashMap<T, Double>();
        present.forEach(one -> now.put(one, count.applyAsDouble(one)));
        seen.forEach((one, value) -> ofGone += now.containsKey(one) ? 0 : value);
        seen = now;
        return ofGone + now.values().stream().mapToDouble(Double::doubleValue).sum();
    }
}
