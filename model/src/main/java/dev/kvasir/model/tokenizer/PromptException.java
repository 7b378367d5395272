package dev.kvasir.model.tokenizer;

/** A text or a conversation that cannot become a prompt. The message is for the client: what it is, and what it may be. */
public final class PromptException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PromptException(String message) {
        super(message, null, false, false);
    }
}
