package dev.kvasir.worker.engine;

import dev.kvasir.protocol.FailureKind;

/** Why a request is not taken. */
record Refusal(FailureKind kind, String message, long retryAfterMillis) {
    static Refusal of(FailureKind kind, String message) {
        return new Refusal(kind, message, 0);
    }
}
