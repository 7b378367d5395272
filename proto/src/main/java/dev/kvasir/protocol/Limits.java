package dev.kvasir.protocol;

/** Checks of request fields, with one wording for all doors: field, value, what is allowed. */
public final class Limits {
    private Limits() {}

    /** Throws {@link BadRequestException} naming field, value and the allowed range unless {@code holds}. */
    public static void require(boolean holds, String field, Object value, String allowed) {
        if (!holds) {
            throw new BadRequestException(field, "%s is %s but must be %s".formatted(field, shorten(value), allowed));
        }
    }

    /** A value fit for a message: at most 64 characters, no control characters. */
    public static String shorten(Object value) {
        var text = String.valueOf(value)
                .codePoints()
                .limit(65)
                .map(c -> Character.isISOControl(c) ? '\uFFFD' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append);
        return text.codePointCount(0, text.length()) > 64
                ? text.substring(0, text.offsetByCodePoints(0, 64)) + "…"
                : text.toString();
    }
}
