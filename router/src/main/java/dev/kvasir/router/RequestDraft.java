package dev.kvasir.router;

import dev.kvasir.protocol.RequestId;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request as it came, field by field; null where the client said nothing. Numbers are as wide as the doors can read
 * them: nothing is checked here, everything in {@link RequestRules}. Filled by one door, on one thread.
 */
public final class RequestDraft {
    final String model;
    final long arrivalNanos;

    @Nullable
    Prompt prompt;

    @Nullable
    Long maxTokens;

    /** What the client called it. */
    String maxTokensField = "max_tokens";

    /** The door's own default for {@code max_tokens}. */
    @Nullable
    Long maxTokensUsual;

    @Nullable
    Long minTokens;

    @Nullable
    Double temperature;

    @Nullable
    Double topP;

    @Nullable
    Long topK;

    @Nullable
    Double minP;

    @Nullable
    Double repetitionPenalty;

    @Nullable
    Double presencePenalty;

    @Nullable
    Double frequencyPenalty;

    @Nullable
    Map<Long, Double> logitBias;

    @Nullable
    List<String> stop;

    @Nullable
    List<Long> stopTokenIds;

    @Nullable
    Boolean includeStop;

    @Nullable
    Boolean ignoreEos;

    @Nullable
    Long seed;

    @Nullable
    Long n;

    @Nullable
    Boolean skipSpecialTokens;

    @Nullable
    Long logprobs;

    @Nullable
    Long promptLogprobs;

    @Nullable
    Boolean echo;

    @Nullable
    Boolean reportPromptTokens;

    @Nullable
    String cacheSalt;

    @Nullable
    Long priority;

    @Nullable
    String tenant;

    @Nullable
    String userRequestId;

    @Nullable
    RequestId id;

    Map<String, String> door = Map.of();

    private RequestDraft(String model, long arrivalNanos) {
        this.model = model;
        this.arrivalNanos = arrivalNanos;
    }

    /**
     * An empty draft.
     *
     * @param model name that the client gave; empty for the only model served
     * @param arrivalNanos when the request arrived, by {@link System#nanoTime}
     */
    public static RequestDraft of(String model, long arrivalNanos) {
        return new RequestDraft(model, arrivalNanos);
    }

    /** Where the door has a use for a certain id; else a random one is taken. */
    public RequestDraft id(RequestId value) {
        id = value;
        return this;
    }

    /** Notes for a door that may have to resume the stream. */
    public RequestDraft door(Map<String, String> notes) {
        door = Map.copyOf(notes);
        return this;
    }

    public RequestDraft prompt(@Nullable Prompt value) {
        prompt = value;
        return this;
    }

    public RequestDraft maxTokens(@Nullable Long value) {
        maxTokens = value;
        return this;
    }

    /**
     * The same, where the door has another name for it than {@code max_tokens}.
     *
     * @param field name for messages about it
     */
    public RequestDraft maxTokens(@Nullable Long value, String field) {
        maxTokens = value;
        maxTokensField = field;
        return this;
    }

    /** What {@code max_tokens} is where the client says nothing, if the context leaves so much. */
    public RequestDraft maxTokensUsual(@Nullable Long value) {
        maxTokensUsual = value;
        return this;
    }

    public RequestDraft minTokens(@Nullable Long value) {
        minTokens = value;
        return this;
    }

    public RequestDraft temperature(@Nullable Double value) {
        temperature = value;
        return this;
    }

    public RequestDraft topP(@Nullable Double value) {
        topP = value;
        return this;
    }

    public RequestDraft topK(@Nullable Long value) {
        topK = value;
        return this;
    }

    public RequestDraft minP(@Nullable Double value) {
        minP = value;
        return this;
    }

    public RequestDraft repetitionPenalty(@Nullable Double value) {
        repetitionPenalty = value;
        return this;
    }

    public RequestDraft presencePenalty(@Nullable Double value) {
        presencePenalty = value;
        return this;
    }

    public RequestDraft frequencyPenalty(@Nullable Double value) {
        frequencyPenalty = value;
        return this;
    }

    public RequestDraft logitBias(@Nullable Map<Long, Double> value) {
        logitBias = value;
        return this;
    }

    public RequestDraft stop(@Nullable List<String> value) {
        stop = value;
        return this;
    }

    public RequestDraft stopTokenIds(@Nullable List<Long> value) {
        stopTokenIds = value;
        return this;
    }

    public RequestDraft includeStop(@Nullable Boolean value) {
        includeStop = value;
        return this;
    }

    public RequestDraft ignoreEos(@Nullable Boolean value) {
        ignoreEos = value;
        return this;
    }

    public RequestDraft seed(@Nullable Long value) {
        seed = value;
        return this;
    }

    public RequestDraft n(@Nullable Long value) {
        n = value;
        return this;
    }

    public RequestDraft skipSpecialTokens(@Nullable Boolean value) {
        skipSpecialTokens = value;
        return this;
    }

    public RequestDraft logprobs(@Nullable Long value) {
        logprobs = value;
        return this;
    }

    public RequestDraft promptLogprobs(@Nullable Long value) {
        promptLogprobs = value;
        return this;
    }

    public RequestDraft echo(@Nullable Boolean value) {
        echo = value;
        return this;
    }

    public RequestDraft reportPromptTokens(@Nullable Boolean value) {
        reportPromptTokens = value;
        return this;
    }

    public RequestDraft cacheSalt(@Nullable String value) {
        cacheSalt = value;
        return this;
    }

    /** As the call's metadata named it; null for none. */
    public RequestDraft tenant(@Nullable String value) {
        tenant = value;
        return this;
    }

    public RequestDraft priority(@Nullable Long value) {
        priority = value;
        return this;
    }

    public RequestDraft userRequestId(@Nullable String value) {
        userRequestId = value;
        return this;
    }
}
