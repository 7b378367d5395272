package dev.kvasir.model.tokenizer;

/**
 * Turns the tokens of one sequence into text as they come. What is given out is final and never ends within a code
 * point; all of it together, with what {@link #finish} gives, is what decoding all tokens at once gives. Work and memory
 * for a token do not grow with the tokens before it, except that a run of byte-fallback tokens is held until it ends.
 * For one thread.
 */
public final class Detokenizer {
    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    private final DecodeStep first;
    private final StringBuilder ready = new StringBuilder();
    private boolean finished;

    Detokenizer(Tokenizer tokenizer, DecodeStep first, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.first = first;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** Takes the next token and returns the text that is certain now. An id without a token, as padded models have, is no text. */
    public String append(int token) {
        if (finished) {
            throw new IllegalStateException("token %d after the end of the sequence".formatted(token));
        }
        String piece = tokenizer.piece(token);
        if (piece == null || (skipSpecialTokens && tokenizer.isSpecial(token))) {
            return "";
        }
        first.accept(piece, ready);
        return taken();
    }

    /** Ends the sequence and returns what was held back: U+FFFD for an incomplete character, for instance. */
    public String finish() {
        if (!finished) {
            finished = true;
            first.finish(ready);
        }
        return taken();
    }

    private String taken() {
        String text = ready.toString();
        ready.setLength(0);
        return text;
    }
}
