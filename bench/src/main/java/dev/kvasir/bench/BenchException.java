package dev.kvasir.bench;

/** The benchmark cannot run or its file cannot be read; the message is for the user and needs no stack trace. */
public final class BenchException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BenchException(String message) {
        super(message);
    }

    public BenchException(String message, Throwable cause) {
        super(message, cause);
    }
}
