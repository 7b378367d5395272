package dev.kvasir.model.jinja;

/** Something a template can call. */
interface Function {
    Object call(Arguments arguments);
}
