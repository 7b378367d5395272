package dev.kvasir.model.jinja;

import java.util.function.LongSupplier;

/** What is left of the {@link Limits} of one rendering. */
final class Budget {
    private static final int STEPS_BETWEEN_LOOKS = 1024;
    private static final int CHARS_PER_STEP = 32;

    private final Limits limits;
    private final LongSupplier nanoTime;
    private final long deadline;
    private long steps;
    private long lookAt = STEPS_BETWEEN_LOOKS;
    private int depth;

    Budget(Limits limits, LongSupplier nanoTime) {
        this.limits = limits;
        this.nanoTime = nanoTime;
        this.deadline = nanoTime.getAsLong() + limits.time().toNanos();
    }

    void spend(long count) {
        steps += count;
        if (steps > limits.steps()) {
            throw TemplateException.limit("rendering took more than %d steps".formatted(limits.steps()));
        }
        if (steps >= lookAt) {
            lookAt = steps + STEPS_BETWEEN_LOOKS;
            if (nanoTime.getAsLong() - deadline > 0) {
                throw TemplateException.limit(
                        "rendering took more than %d ms".formatted(limits.time().toMillis()));
            }
        }
    }

    /** Pays for work on so many characters or bytes. */
    void spendFor(int chars) {
        spend(1 + chars / CHARS_PER_STEP);
    }

    void checkLength(long chars) {
        if (chars > limits.textChars()) {
            throw TemplateException.limit("a text grew beyond %d characters".formatted(limits.textChars()));
        }
    }

    void enter() {
        spend(1);
        if (++depth > limits.depth()) {
            throw TemplateException.limit("evaluation is nested deeper than %d".formatted(limits.depth()));
        }
    }

    void leave() {
        depth--;
    }
}
