package dev.kvasir.model.jinja;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * A string that knows which of its characters came from the values a template was rendered with, rather than from the
 * template. Equality and order are those of the characters alone. Positions are Python's: code points.
 */
public final class Text implements Comparable<Text> {
    private static final int[] NOTHING = {};
    static final Text EMPTY = new Text("", NOTHING);

    private final String value;
    private final int[] givenSpans;

    /** @param givenSpans start and end, in chars, of each stretch that was given; ascending, disjoint */
    Text(String value, int[] givenSpans) {
        this.value = value;
        this.givenSpans = givenSpans;
    }

    /** A string of the template or of the server. */
    public static Text own(String value) {
        return new Text(value, NOTHING);
    }

    /** A string from outside. */
    public static Text given(String value) {
        return value.isEmpty() ? EMPTY : new Text(value, new int[] {0, value.length()});
    }

    public String value() {
        return value;
    }

    /** Start and end of each stretch of chars that came from outside. */
    public int[] givenSpans() {
        return givenSpans.clone();
    }

    /** What stands before a char. */
    public Text upTo(int end) {
        return chars(0, end);
    }

    int spanCount() {
        return givenSpans.length / 2;
    }

    int spanStart(int span) {
        return givenSpans[2 * span];
    }

    int spanEnd(int span) {
        return givenSpans[2 * span + 1];
    }

    boolean isEmpty() {
        return value.isEmpty();
    }

    /** Number of code points. */
    int length() {
        return value.codePointCount(0, value.length());
    }

    /** Another string made out of this one, given as a whole where any part of this was. */
    Text derived(String other) {
        return givenSpans.length == 0 ? own(other) : given(other);
    }

    /** Another string in which each char stands for the one in its place; or else as {@link #derived}. */
    Text mapped(String other) {
        return other.length() == value.length() ? new Text(other, givenSpans) : derived(other);
    }

    /** A stretch of chars. */
    Text chars(int from, int to) {
        if (from == 0 && to == value.length()) {
            return this;
        }
        if (from >= to) {
            return EMPTY;
        }
        String part = value.substring(from, to);
        if (givenSpans.length == 0) {
            return own(part);
        }
        int[] spans = new int[givenSpans.length];
        int count = 0;
        for (int i = 0; i < givenSpans.length; i += 2) {
            int start = Math.max(givenSpans[i], from);
            int end = Math.min(givenSpans[i + 1], to);
            if (start < end) {
                spans[count++] = start - from;
                spans[count++] = end - from;
            }
        }
        return new Text(part, Arrays.copyOf(spans, count));
    }

    /** A stretch of code points. */
    Text points(int from, int to) {
        return chars(value.offsetByCodePoints(0, from), value.offsetByCodePoints(0, to));
    }

    Text strip(boolean left, boolean right) {
        return strip(left, right, Python::isSpace);
    }

    /** Without the characters of a set at the ends. */
    Text strip(boolean left, boolean right, IntPredicate set) {
        int from = 0;
        int to = value.length();
        while (left && from < to && set.test(value.codePointAt(from))) {
            from += Character.charCount(value.codePointAt(from));
        }
        while (right && to > from && set.test(value.codePointBefore(to))) {
            to -= Character.charCount(value.codePointBefore(to));
        }
        return chars(from, to);
    }

    @Override
    public int compareTo(Text other) {
        int shorter = Math.min(value.length(), other.value.length());
        for (int i = 0; i < shorter; i++) {
            char a = value.charAt(i);
            char b = other.value.charAt(i);
            if (a != b) {
                return Character.isSurrogate(a) != Character.isSurrogate(b)
                        ? Boolean.compare(Character.isSurrogate(a), Character.isSurrogate(b))
                        : Character.compare(a, b);
            }
        }
        return Integer.compare(value.length(), other.value.length());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Text text && value.equals(text.value);
    }

    @Override
    public int hashCode() {
        return value.hashCode();
    }

    @Override
    public String toString() {
        return value;
    }
}
