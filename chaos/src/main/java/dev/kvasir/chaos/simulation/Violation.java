package dev.kvasir.chaos.simulation;

import java.util.function.Supplier;

/** A promise was broken. */
final class Violation extends RuntimeException {
    private static final long serialVersionUID = 1;

    Violation(String promise, String what) {
        super(promise + ": " + what);
    }

    static void unless(boolean kept, String promise, Supplier<String> what) {
        if (!kept) {
            throw new Violation(promise, what.get());
        }
    }
}
