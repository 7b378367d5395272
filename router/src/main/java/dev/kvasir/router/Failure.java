package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;

/**
 * Why a request was refused or ended early, fit to be shown to its client.
 *
 * @param field the request field at fault, or empty
 * @param retryAfterMillis when trying again may help; 0 where nothing is known
 */
public record Failure(FailureKind kind, String message, String field, long retryAfterMillis) {
    public static Failure of(FailureKind kind, String message) {
        return new Failure(kind, message, "", 0);
    }

    public static Failure retryable(FailureKind kind, String message, long retryAfterMillis) {
        return new Failure(kind, message, "", retryAfterMillis);
    }
}
