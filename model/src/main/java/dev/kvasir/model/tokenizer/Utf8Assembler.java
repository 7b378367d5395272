package dev.kvasir.model.tokenizer;

/**
 * Turns bytes into text as they arrive. What is given out never ends within a code point; each maximal part of an
 * invalid sequence becomes one U+FFFD, as when the whole were decoded at once (Unicode 3.9, best practice).
 */
final class Utf8Assembler {
    private static final char REPLACEMENT = '\uFFFD';

    private int missing;
    private int codePoint;
    private int lowest = 0x80;
    private int highest = 0xBF;

    /** Takes bytes and appends the text that they complete. */
    void append(byte[] bytes, StringBuilder out) {
        for (byte b : bytes) {
            append(b & 0xFF, out);
        }
    }

    /** The text ends here: what is incomplete is invalid. */
    void finish(StringBuilder out) {
        if (missing > 0) {
            out.append(REPLACEMENT);
        }
        reset();
    }

    private void append(int b, StringBuilder out) {
        if (missing > 0) {
            if (b >= lowest && b <= highest) {
                follow(b, out);
                return;
            }
            finish(out); // The byte begins something new.
        }
        start(b, out);
    }

    private void start(int b, StringBuilder out) {
        if (b < 0x80) {
            out.append((char) b);
        } else if (b >= 0xC2 && b <= 0xDF) {
            begin(b & 0x1F, 1, 0x80, 0xBF);
        } else if (b >= 0xE0 && b <= 0xEF) {
            begin(b & 0x0F, 2, b == 0xE0 ? 0xA0 : 0x80, b == 0xED ? 0x9F : 0xBF);
        } else if (b >= 0xF0 && b <= 0xF4) {
            begin(b & 0x07, 3, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF);
        } else {
            out.append(REPLACEMENT);
        }
    }

    private void begin(int bits, int following, int lowestNext, int highestNext) {
        codePoint = bits;
        missing = following;
        lowest = lowestNext;
        highest = highestNext;
    }

    private void follow(int b, StringBuilder out) {
        codePoint = (codePoint << 6) | (b & 0x3F);
        lowest = 0x80;
        highest = 0xBF;
        if (--missing == 0) {
            out.appendCodePoint(codePoint);
        }
    }

    private void reset() {
        begin(0, 0, 0x80, 0xBF);
    }
}
