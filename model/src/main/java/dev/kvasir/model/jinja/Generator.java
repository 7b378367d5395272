package dev.kvasir.model.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What filters such as {@code map} and {@code select} give: nothing is done before its elements are asked for, they can
 * be had once, and it is always true.
 */
final class Generator {
    private final Supplier<List<Object>> items;
    private @Nullable Iterator<Object> rest;

    Generator(Supplier<List<Object>> items) {
        this.items = items;
    }

    Iterator<Object> rest() {
        if (rest == null) {
            rest = items.get().iterator();
        }
        return rest;
    }
}
