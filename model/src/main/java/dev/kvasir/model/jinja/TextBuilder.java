package dev.kvasir.model.jinja;

import java.util.Arrays;

/** Puts a {@link Text} together; its length is limited by the budget. */
final class TextBuilder {
    private final StringBuilder value = new StringBuilder();
    private final Budget budget;
    private int[] spans = {};
    private int count;

    TextBuilder(Budget budget) {
        this.budget = budget;
    }

    TextBuilder append(Text text) {
        int offset = value.length();
        append(text.value());
        for (int i = 0; i < text.spanCount(); i++) {
            given(offset + text.spanStart(i), offset + text.spanEnd(i));
        }
        return this;
    }

    TextBuilder append(Text text, int from, int to) {
        return append(text.chars(from, to));
    }

    /** Appends characters of the template's making. */
    TextBuilder append(String own) {
        budget.checkLength((long) value.length() + own.length());
        budget.spendFor(own.length());
        value.append(own);
        return this;
    }

    int length() {
        return value.length();
    }

    Text build() {
        return new Text(value.toString(), Arrays.copyOf(spans, count));
    }

    private void given(int start, int end) {
        if (count > 0 && spans[count - 1] == start) {
            spans[count - 1] = end;
            return;
        }
        if (count == spans.length) {
            spans = Arrays.copyOf(spans, Math.max(8, 2 * count));
        }
        spans[count++] = start;
        spans[count++] = end;
    }
}
