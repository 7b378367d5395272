package dev.kvasir.router;

import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.StreamOrigin;
import java.util.Map;

/**
 * A request that has passed every check; both doors make it through {@link RequestRules} alone.
 *
 * @param promptText what {@code echo} repeats; empty without echo
 * @param userRequestId name that the client gave; may be empty; never a key
 * @param arrivalNanos when the door received it, on the monotonic clock
 * @param door notes of the door that it came in by, for a door that resumes its stream
 */
public record ValidRequest(
        GenerationRequest generation,
        ServedModel model,
        TextOptions text,
        String promptText,
        String userRequestId,
        long arrivalNanos,
        Map<String, String> door) {
    /** Among the door's notes where the client wants to be told where its request went, and why. */
    public static final String PLACEMENT_NOTE = "placement";

    public ValidRequest {
        door = Map.copyOf(door);
    }

    public boolean wantsPlacement() {
        return door.containsKey(PLACEMENT_NOTE);
    }

    /** What another router needs to stream the answer. */
    StreamOrigin origin() {
        return new StreamOrigin(
                userRequestId,
                text.stop(),
                text.includeStop(),
                text.skipSpecialTokens(),
                text.echo(),
                text.reportPromptTokens(),
                promptText,
                door);
    }

    /** A request as another router had it. */
    static ValidRequest of(GenerationRequest generation, ServedModel model, StreamOrigin origin, long nowNanos) {
        var text = new TextOptions(
                origin.stop(),
                origin.includeStop(),
                origin.skipSpecialTokens(),
                origin.echo(),
                origin.reportPromptTokens());
        var promptText = origin.echo() && origin.promptText().isEmpty()
                ? model.text().decode(generation.prompt(), origin.skipSpecialTokens())
                : origin.promptText();
        return new ValidRequest(generation, model, text, promptText, origin.userRequestId(), nowNanos, origin.door());
    }
}
