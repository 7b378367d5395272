package dev.kvasir.protocol;

/** Why a request failed. The doors map each kind to a gRPC status and an HTTP status in one table. */
public enum FailureKind {
    /** The request breaks a rule; trying again is of no use. */
    INVALID_ARGUMENT,
    /** Prompt, or prompt and output, do not fit the context or the KV cache. */
    CONTEXT_LENGTH_EXCEEDED,
    /** No key, or one that nobody has. */
    UNAUTHENTICATED,
    /** No such model, or no such request. */
    NOT_FOUND,
    /** A bounded queue is full; try later. */
    RESOURCE_EXHAUSTED,
    /** No worker can take the request now: none joined, all draining, or the worker was lost. */
    UNAVAILABLE,
    DEADLINE_EXCEEDED,
    CANCELLED,
    /** The stream was resumed elsewhere and goes on there. */
    ABORTED,
    /** A broken invariant or a failure of this sequence alone, such as NaN logits. */
    INTERNAL
}
