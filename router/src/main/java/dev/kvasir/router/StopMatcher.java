package dev.kvasir.router;

import java.util.List;

/**
 * Finds the first stop text in a stream of text, and holds back what may yet become one (Knuth, Morris and Pratt 1977,
 * one automaton per stop text, side by side). The output does not depend on how the text is cut into pieces: it ends at
 * the first character that completes any stop text; of several completed by the same character the longest counts. No
 * character of that stop text is ever given out unless it is to be included.
 */
final class StopMatcher {
    private final List<String> stops;
    private final int[][] fallbacks;
    private final int[] matched;
    private final boolean include;
    private final StringBuilder held = new StringBuilder();
    private int hit = -1;

    StopMatcher(List<String> stops, boolean include) {
        this.stops = stops;
        this.include = include;
        this.matched = new int[stops.size()];
        this.fallbacks = stops.stream().map(StopMatcher::fallbacks).toArray(int[][]::new);
    }

    /** Takes more text; gives out what is now known not to belong to a stop text. Nothing after {@link #stopped}. */
    String append(String text) {
        if (stops.isEmpty() || hit >= 0) {
            return hit >= 0 ? "" : text;
        }
        for (int i = 0; i < text.length(); i++) {
            held.append(text.charAt(i));
            hit = advance(text.charAt(i));
            if (hit >= 0) {
                return cut(
                        include ? held.length() : held.length() - stops.get(hit).length());
            }
        }
        return cut(held.length() - longestPartialMatch());
    }

    /** At the end of the text: what was held back for nothing. */
    String finish() {
        return hit >= 0 ? "" : cut(held.length());
    }

    boolean stopped() {
        return hit >= 0;
    }

    /** The stop text that was found. */
    String stop() {
        if (hit < 0) {
            throw new IllegalStateException("no stop text was found");
        }
        return stops.get(hit);
    }

    /** Index of the longest stop text that this character completes, or -1. */
    private int advance(char c) {
        int completed = -1;
        for (int s = 0; s < matched.length; s++) {
            var stop = stops.get(s);
            int k = matched[s];
            while (k > 0 && stop.charAt(k) != c) {
                k = fallbacks[s][k - 1];
            }
            matched[s] = stop.charAt(k) == c ? k + 1 : 0;
            if (matched[s] == stop.length()
                    && (completed < 0 || stop.length() > stops.get(completed).length())) {
                completed = s;
            }
        }
        return completed;
    }

    private int longestPartialMatch() {
        int longest = 0;
        for (int length : matched) {
            longest = Math.max(longest, length);
        }
        return longest;
    }

    private String cut(int length) {
        var out = held.substring(0, length);
        held.delete(0, length);
        return out;
    }

    /** For each prefix, the length of its longest proper suffix that is a prefix too. */
    private static int[] fallbacks(String stop) {
        int[] fallback = new int[stop.length()];
        int k = 0;
        for (int i = 1; i < stop.length(); i++) {
            while (k > 0 && stop.charAt(i) != stop.charAt(k)) {
                k = fallback[k - 1];
            }
            if (stop.charAt(i) == stop.charAt(k)) {
                k++;
            }
            fallback[i] = k;
        }
        return fallback;
    }
}
