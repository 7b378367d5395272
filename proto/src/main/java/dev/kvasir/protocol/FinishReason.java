package dev.kvasir.protocol;

/** Why an output ended. */
public enum FinishReason {
    /** An end token, a stop token or a stop string. */
    STOP,
    /** {@code max_tokens} or the context length was reached. */
    LENGTH,
    /** Given up before its end. */
    ABORT
}
