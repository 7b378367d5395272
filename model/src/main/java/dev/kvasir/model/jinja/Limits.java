package dev.kvasir.model.jinja;

import java.time.Duration;

/**
 * How much one rendering may do.
 *
 * @param steps evaluations, each element and every few characters handled counting as one
 * @param textChars length of the output and of any string made on the way
 * @param depth nesting of evaluations, macros included
 * @param time wall-clock time
 */
public record Limits(long steps, int textChars, int depth, Duration time) {
    /** Far beyond what real templates do with prompts that fit a model. */
    public static final Limits DEFAULT = new Limits(5_000_000, 8_000_000, 400, Duration.ofSeconds(5));
}
