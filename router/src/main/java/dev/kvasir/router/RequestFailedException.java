package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;

/** A request was refused before its stream began. Carries no stack trace: it is an answer, not an accident. */
public final class RequestFailedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final transient Failure failure;

    public RequestFailedException(Failure failure) {
        super(failure.message(), null, false, false);
        this.failure = failure;
    }

    public RequestFailedException(FailureKind kind, String message) {
        this(Failure.of(kind, message));
    }

    public Failure failure() {
        return failure;
    }
}
