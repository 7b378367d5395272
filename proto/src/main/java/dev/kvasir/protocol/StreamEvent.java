package dev.kvasir.protocol;

import java.util.List;
import java.util.OptionalInt;

/**
 * What a worker tells about a request. For each output, {@code Tokens} messages come in order and without gaps, then one
 * {@code Finished}; or the whole request ends with one {@code Failed}.
 * It travels in a {@link Delivery}.
 */
public sealed interface StreamEvent {
    RequestId requestId();

    /** The worker has queued the request. */
    record Accepted(RequestId requestId, long incarnation) implements StreamEvent {}

    /**
     * Log-probabilities of prompt tokens from the second on; before any {@code Tokens}.
     *
     * @param first how many of them came before these
     */
    record PromptScored(RequestId requestId, int first, List<ScoredToken> tokens) implements StreamEvent {
        public PromptScored {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * New tokens of one output.
     *
     * @param firstTokenIndex position in the output of the first one, from 0
     * @param cachedTokens prompt tokens whose KV was reused
     */
    record Tokens(RequestId requestId, int outputIndex, int firstTokenIndex, List<ScoredToken> tokens, int cachedTokens)
            implements StreamEvent {
        public Tokens {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * The end of one output.
     *
     * @param tokenCount tokens generated, an end token included
     * @param stopTokenId the token that ended it, if one did
     */
    record Finished(RequestId requestId, int outputIndex, int tokenCount, FinishReason reason, OptionalInt stopTokenId)
            implements StreamEvent {}

    /** The end of all outputs of a request. */
    record Failed(RequestId requestId, FailureKind kind, String message, long retryAfterMillis)
            implements StreamEvent {}
}
