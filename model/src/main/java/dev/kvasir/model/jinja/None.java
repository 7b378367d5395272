package dev.kvasir.model.jinja;

/** Python's {@code None}. */
enum None {
    NONE
}
