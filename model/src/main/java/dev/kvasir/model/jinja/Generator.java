package dev.kvasir.model.jinja;

import java.util.Iterator;

/** What filters such as {@code map} and {@code select} give: its elements can be had once, and it is always true. */
final class Generator {
    private final Iterator<Object> rest;

    Generator(Iterable<Object> items) {
        this.rest = items.iterator();
    }

    Iterator<Object> rest() {
        return rest;
    }
}
