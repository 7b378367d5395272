package dev.kvasir.router;

import dev.kvasir.protocol.GenerationRequest;

/**
 * A request that has passed every check; both doors make it through {@link RequestRules} alone.
 *
 * @param promptText what {@code echo} repeats; empty without echo
 * @param userRequestId name that the client gave; may be empty; never a key
 * @param arrivalNanos when the door received it, on the monotonic clock
 */
public record ValidRequest(
        GenerationRequest generation,
        ServedModel model,
        TextOptions text,
        String promptText,
        String userRequestId,
        long arrivalNanos) {}
