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
    private static final String SEVERAL = "several";

    static Map<String, String> of(ChatRequest request, long createdSeconds) {
        return common(
                CHAT,
                createdSeconds,
                request.wishes(),
                request.logprobs(),
                request.promptLogprobs(),
                request.tokenIds());
    }

    static Map<String, String> of(CompletionRequest request, long createdSeconds) {
        var notes = common(
                request.drafts().size() == 1 ? COMPLETION : SEVERAL,
                createdSeconds,
                request.wishes(),
                request.logprobs(),
                request.promptLogprobs(),
                request.tokenIds());
        notes.put("echo", Boolean.toString(request.echo()));
        notes.put("only_prompt", Boolean.toString(request.onlyPrompt()));
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
        notes.put("usage", Boolean.toString(wishes.usage()));
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

    /** The form that the stream had. */
    AnswerFormat format(ValidRequest request, String id) {
        int n = request.generation().sampling().n();
        var form = notes.getOrDefault(FORM, "");
        return switch (form) {
            case CHAT ->
                new ChatFormat(n, number("logprobs"), number("prompt_logprobs"), flag("token_ids"), request, created());
            case COMPLETION ->
                new CompletionFormat(
                        new CompletionFormat.Wanted(
                                n,
                                flag("echo"),
                                number("logprobs"),
                                number("prompt_logprobs"),
                                flag("only_prompt"),
                                flag("token_ids")),
                        List.of(request),
                        created());
            default ->
                throw new RequestFailedException(Failure.of(
                        FailureKind.INVALID_ARGUMENT,
                        form.equals(SEVERAL)
                                ? "request %s is one of several prompts, whose streams cannot be resumed".formatted(id)
                                : "request %s came in by gRPC and is resumed there".formatted(id)));
        };
    }

    boolean withUsage() {
        return flag("usage");
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
