package dev.kvasir.bench;

import java.util.random.RandomGenerator;

/** Lengths in tokens, uniform in {@code [min, max]}. Written {@code 512} or {@code 256:1024}. */
public record Lengths(int min, int max) {
    public static final int TOKENS_MAX = 4_000_000;

    public Lengths {
        if (min < 1 || max < min || max > TOKENS_MAX) {
            throw new IllegalArgumentException(
                    "lengths must be 1 <= min <= max <= %d, are %d:%d".formatted(TOKENS_MAX, min, max));
        }
    }

    /** Reads {@code N} or {@code MIN:MAX}. */
    public static Lengths parse(String text) {
        int colon = text.indexOf(':');
        try {
            return colon < 0
                    ? new Lengths(Integer.parseInt(text), Integer.parseInt(text))
                    : new Lengths(
                            Integer.parseInt(text.substring(0, colon)), Integer.parseInt(text.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' is neither a length such as 512 nor a range such as 256:1024", e);
        }
    }

    int draw(RandomGenerator random) {
        return random.nextInt(min, max + 1);
    }

    @Override
    public String toString() {
        return min == max ? Integer.toString(min) : min + ":" + max;
    }
}
