package dev.kvasir.model.jinja;

import java.util.List;

/** An immutable sequence or view of Python's. */
record Seq(Kind kind, List<Object> items) {
    /** What Python calls it. */
    enum Kind {
        LIST("list"),
        TUPLE("tuple"),
        /** A pair that groupby makes; its elements have names. */
        GROUP("tuple"),
        RANGE("range"),
        KEYS("dict_keys"),
        VALUES("dict_values"),
        ITEMS("dict_items");

        private final String python;

        Kind(String python) {
            this.python = python;
        }

        String python() {
            return python;
        }
    }

    static Seq list(List<Object> items) {
        return new Seq(Kind.LIST, items);
    }

    static Seq tuple(Object... items) {
        return new Seq(Kind.TUPLE, List.of(items));
    }

    /** Whether elements are had by position. */
    boolean indexed() {
        return kind == Kind.LIST || kind == Kind.TUPLE || kind == Kind.GROUP || kind == Kind.RANGE;
    }
}
