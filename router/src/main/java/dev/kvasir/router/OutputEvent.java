package dev.kvasir.router;

import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.ScoredToken;
import java.util.List;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * What a door tells its client about a request: one {@code Started}, for each output {@code Delta}s of which the last
 * carries a {@link Finish}, then one {@code Completed}; or at any point, as the last event, one {@code Failed}.
 */
public sealed interface OutputEvent {
    /** Nothing comes after this one. */
    default boolean isLast() {
        return this instanceof Completed || this instanceof Failed;
    }

    /**
     * The first token is there.
     *
     * @param promptLogprobs of prompt tokens from the second on; empty where not asked for
     */
    record Started(List<ScoredToken> promptLogprobs) implements OutputEvent {
        public Started {
            promptLogprobs = List.copyOf(promptLogprobs);
        }
    }

    /**
     * New text and tokens of one output. Text may lag behind the tokens while a character is incomplete or a stop text
     * possible.
     *
     * @param firstTokenIndex position in the output of the first token, from 0
     * @param finish present in an output's last delta
     */
    record Delta(
            int outputIndex,
            int firstTokenIndex,
            String text,
            List<ScoredToken> tokens,
            @Nullable Finish finish) implements OutputEvent {
        public Delta {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * How an output ended.
     *
     * @param stopText the stop text that ended it, if one did
     * @param stopToken the token of {@code stop_token_ids} that ended it, if one did; the model's own end tokens are not
     *     reported
     */
    record Finish(FinishReason reason, @Nullable String stopText, OptionalInt stopToken) {}

    record Completed(Usage usage) implements OutputEvent {}

    /** Something that the client has already, told so that a door knows where the answer stands; not to be sent. */
    record Replayed(OutputEvent event) implements OutputEvent {}

    record Failed(Failure failure) implements OutputEvent {}

    /**
     * What the request took.
     *
     * @param completionTokens over all outputs
     * @param cachedTokens prompt tokens whose KV was reused
     */
    record Usage(int promptTokens, int completionTokens, int cachedTokens) {}
}
