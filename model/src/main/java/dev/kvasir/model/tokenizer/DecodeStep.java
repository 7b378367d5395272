package dev.kvasir.model.tokenizer;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One step of a decoder as {@code tokenizer.json} names them, working on pieces as they arrive: given the pieces of a
 * sequence in order and then the end, it hands on what the library's step makes of the whole sequence, as early as
 * that is certain. A step serves one sequence.
 */
abstract class DecodeStep {
    /** Takes the next piece. */
    abstract void accept(String piece, StringBuilder out);

    /** The sequence is over. */
    void finish(StringBuilder out) {
        next.finish(out);
    }

    private final DecodeStep next;

    private DecodeStep(DecodeStep next) {
        this.next = next;
    }

    void hand(String piece, StringBuilder out) {
        next.accept(piece, out);
    }

    /** The end of a chain: pieces become text. */
    static DecodeStep text() {
        return new Text();
    }

    private static final class Text extends DecodeStep {
        @SuppressWarnings("NullAway") // The only step without a next one; it overrides both methods that would use it.
        Text() {
            super(null);
        }

        @Override
        void accept(String piece, StringBuilder out) {
            out.append(piece);
        }

        @Override
        void finish(StringBuilder out) {}
    }

    /** No decoder at all: pieces with spaces between. */
    static final class Spaced extends DecodeStep {
        private boolean first = true;

        Spaced(DecodeStep next) {
            super(next);
        }

        @Override
        void accept(String piece, StringBuilder out) {
            hand(first ? piece : " " + piece, out);
            first = false;
        }
    }

    /** Byte-level letters to bytes to text. */
    static final class ByteLevel extends DecodeStep {
        private final Utf8Assembler assembler = new Utf8Assembler();
        private final StringBuilder ready = new StringBuilder();

        ByteLevel(DecodeStep next) {
            super(next);
        }

        @Override
        void accept(String piece, StringBuilder out) {
            assembler.append(ByteLetters.bytes(piece), ready);
            flush(out);
        }

        @Override
        void finish(StringBuilder out) {
            assembler.finish(ready);
            flush(out);
            super.finish(out);
        }

        private void flush(StringBuilder out) {
            if (!ready.isEmpty()) {
                hand(ready.toString(), out);
                ready.setLength(0);
            }
        }
    }

    /** Replaces a text within each piece. */
    static final class Replace extends DecodeStep {
        private final String pattern;
        private final String content;

        Replace(String pattern, String content, DecodeStep next) {
            super(next);
            this.pattern = pattern;
            this.content = content;
        }

        @Override
        void accept(String piece, StringBuilder out) {
            hand(piece.replace(pattern, content), out);
        }
    }

    /**
     * Pieces of the form {@code <0xE2>} are bytes. A run of them is text where the whole run is valid UTF-8, else each of
     * its bytes is one U+FFFD; so nothing of a run is known before its end.
     */
    static final class ByteFallback extends DecodeStep {
        private byte[] run = new byte[16];
        private int length;

        ByteFallback(DecodeStep next) {
            super(next);
        }

        @Override
        void accept(String piece, StringBuilder out) {
            int value = byteValue(piece);
            if (value < 0) {
                flush(out);
                hand(piece, out);
                return;
            }
            if (length == run.length) {
                run = Arrays.copyOf(run, 2 * length);
            }
            run[length++] = (byte) value;
        }

        @Override
        void finish(StringBuilder out) {
            flush(out);
            super.finish(out);
        }

        private void flush(StringBuilder out) {
            if (length == 0) {
                return;
            }
            try {
                hand(
                        StandardCharsets.UTF_8
                                .newDecoder()
                                .decode(ByteBuffer.wrap(run, 0, length))
                                .toString(),
                        out);
            } catch (CharacterCodingException _) {
                for (int i = 0; i < length; i++) {
                    hand("\uFFFD", out);
                }
            }
            length = 0;
        }

        /** The byte that a piece stands for, or -1. */
        static int byteValue(String piece) {
            if (piece.length() != 6 || !piece.startsWith("<0x") || piece.charAt(5) != '>') {
                return -1;
            }
            int high = Character.digit(piece.charAt(3), 16);
            int low = Character.digit(piece.charAt(4), 16);
            return piece.charAt(3) >= 0x80 || piece.charAt(4) >= 0x80 || high < 0 || low < 0 ? -1 : 16 * high + low;
        }
    }

    /** Cuts up to so many of a character from the start and the end of each piece, or of the whole text once fused. */
    static final class Strip extends DecodeStep {
        private final int content;
        private final int start;
        private final int stop;
        private final boolean fused;
        private final StringBuilder held = new StringBuilder();
        private int cut;
        private boolean started;

        Strip(int content, int start, int stop, boolean fused, DecodeStep next) {
            super(next);
            this.content = content;
            this.start = start;
            this.stop = stop;
            this.fused = fused;
        }

        @Override
        void accept(String piece, StringBuilder out) {
            int from = 0;
            while (!started && from < piece.length()) {
                if (cut < start && piece.codePointAt(from) == content) {
                    from += Character.charCount(content);
                    cut++;
                } else {
                    started = true;
                }
            }
            held.append(piece, from, piece.length());
            if (!fused) {
                end(out);
                return;
            }
            int certain = held.codePointCount(0, held.length()) - stop;
            if (certain > 0) {
                int chars = held.offsetByCodePoints(0, certain);
                hand(held.substring(0, chars), out);
                held.delete(0, chars);
            }
        }

        @Override
        void finish(StringBuilder out) {
            end(out);
            super.finish(out);
        }

        private void end(StringBuilder out) {
            for (int i = 0; i < stop && !held.isEmpty() && held.codePointBefore(held.length()) == content; i++) {
                held.setLength(held.length() - Character.charCount(content));
            }
            if (!held.isEmpty()) {
                hand(held.toString(), out);
            }
            held.setLength(0);
            started = false;
            cut = 0;
        }
    }

    /** A visible letter stands for a space; in the first piece it may stand for nothing. */
    static final class Metaspace extends DecodeStep {
        private final String replacement;
        private String spaceOfFirst;

        Metaspace(String replacement, boolean prepended, DecodeStep next) {
            super(next);
            this.replacement = replacement;
            this.spaceOfFirst = prepended ? "" : " ";
        }

        @Override
        void accept(String piece, StringBuilder out) {
            hand(piece.replace(replacement, spaceOfFirst), out);
            spaceOfFirst = " ";
        }
    }

    /** Pieces that go on a word begin with a prefix; all others begin a word. */
    static final class WordPiece extends DecodeStep {
        private static final String[][] CLEANED = {
            {" .", "."},
            {" ?", "?"},
            {" !", "!"},
            {" ,", ","},
            {" ' ", "'"},
            {" n't", "n't"},
            {" 'm", "'m"},
            {" do not", " don't"},
            {" 's", "'s"},
            {" 've", "'ve"},
            {" 're", "'re"}
        };

        private final String prefix;
        private final boolean cleaning;
        private boolean first = true;

        WordPiece(String prefix, boolean cleaning, DecodeStep next) {
            super(next);
            this.prefix = prefix;
            this.cleaning = cleaning;
        }

        @Override
        void accept(String piece, StringBuilder out) {
            String text = first ? piece : piece.startsWith(prefix) ? piece.substring(prefix.length()) : " " + piece;
            first = false;
            for (int i = 0; cleaning && i < CLEANED.length; i++) {
                text = text.replace(CLEANED[i][0], CLEANED[i][1]);
            }
            hand(text, out);
        }
    }

    /** Pieces that end a word carry a suffix, which is a space but for the last piece. */
    static final class WordSuffix extends DecodeStep {
        private final String suffix;
        private String held = "";

        WordSuffix(String suffix, DecodeStep next) {
            super(next);
            this.suffix = suffix;
        }

        @Override
        void accept(String piece, StringBuilder out) {
            hand(held.replace(suffix, " "), out);
            held = piece;
        }

        @Override
        void finish(StringBuilder out) {
            hand(held.replace(suffix, ""), out);
            super.finish(out);
        }
    }
}
