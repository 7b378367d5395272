package dev.kvasir.router.http;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.router.Failure;
import dev.kvasir.router.RequestFailedException;
import dev.kvasir.router.ValidRequest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What this door must know of a request, besides the request, to word the rest of its answer in the same way. */
record DoorNotes(Map<String, String> notes) {
    private static final String FORM = "form";
    private static final String CHAT = "chat";
    private static final String COMPLETION = "completion";
    private static final String PROMPTS = "prompts";
    private static final String PART = "part";

    static Map<String, String> of(ChatRequest request, long createdSeconds) {
        return common(
                CHAT,
                createdSeconds,
                request.wishes(),
                request.logprobs(),
                request.promptLogprobs(),
                request.tokenIds());
    }

    /** @param prompt which of the request's prompts */
    static Map<String, String> of(CompletionRequest request, int prompt, long createdSeconds) {
        var notes = common(
                COMPLETION,
                createdSeconds,
                request.wishes(),
                request.logprobs(),
                request.promptLogprobs(),
                request.tokenIds());
        notes.put("echo", Boolean.toString(request.echo()));
        notes.put("only_prompt", Boolean.toString(request.onlyPrompt()));
        notes.put(
                prompt == 0 ? PROMPTS : PART,
                Integer.toString(prompt == 0 ? request.drafts().size() : prompt));
        return notes;
    }

    private static Map<String, String> common(
            String form,
            long createdSeconds,
            GenerationFields.Wishes wishes,
            @Nullable Integer logprobs,
            @Nullable Integer promptLogprobs,
            boolean tokenIds) {
        var notes = new HashMap<String, String>();
        notes.put(FORM, form);
        notes.put("created", Long.toString(createdSeconds));
        notes.put("usage", Boolean.toString(wishes.usage() != StreamUsage.NONE));
        notes.put("continuous_usage", Boolean.toString(wishes.usage() == StreamUsage.IN_EACH_EVENT));
        notes.put("token_ids", Boolean.toString(tokenIds));
        if (wishes.placement()) {
            notes.put(ValidRequest.PLACEMENT_NOTE, "true");
        }
        if (logprobs != null) {
            notes.put("logprobs", logprobs.toString());
        }
        if (promptLogprobs != null) {
            notes.put("prompt_logprobs", promptLogprobs.toString());
        }
        return notes;
    }

    /** How many prompts the request has that this is the first of. */
    int prompts() {
        return Integer.parseInt(notes.getOrDefault(PROMPTS, "1"));
    }

    /**
     * The form that the stream had.
     *
     * @param requests one for each prompt
     * @param id that the client named
     */
    AnswerFormat format(List<ValidRequest> requests, String id) {
        var first = requests.getFirst();
        int n = first.generation().sampling().n();
        if (notes.containsKey(PART)) {
            throw refusal("request %s is a part of another, with which it is resumed: prompt %s of %s"
                    .formatted(id, notes.get(PART), id.substring(0, id.lastIndexOf('-'))));
        }
        return switch (notes.getOrDefault(FORM, "")) {
            case CHAT ->
                new ChatFormat(n, number("logprobs"), number("prompt_logprobs"), flag("token_ids"), first, created());
            case COMPLETION ->
                new CompletionFormat(
                        new CompletionFormat.Wanted(
                                n,
                                flag("echo"),
                                number("logprobs"),
                                number("prompt_logprobs"),
                                flag("only_prompt"),
                                flag("token_ids")),
                        requests,
                        created());
            default -> throw refusal("request %s came in by gRPC and is resumed there".formatted(id));
        };
    }

    private static RequestFailedException refusal(String why) {
        return new RequestFailedException(Failure.of(FailureKind.INVALID_ARGUMENT, why));
    }

    StreamUsage usage() {
        return StreamUsage.of(flag("usage"), flag("continuous_usage"));
    }

    private long created() {
        return Long.parseLong(notes.getOrDefault("created", "0"));
    }

    private boolean flag(String name) {
        return Boolean.parseBoolean(notes.getOrDefault(name, "false"));
    }

    private @Nullable Integer number(String name) {
        var value = notes.get(name);
        return value == null ? null : Integer.valueOf(value);
    }
}
