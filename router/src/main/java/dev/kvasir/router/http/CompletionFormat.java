package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ValidRequest;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code /v1/completions}: output j of prompt i is choice i * n + j. */
final class CompletionFormat implements AnswerFormat {
    /** What the client asked for. */
    record Wanted(
            int n,
            boolean echo,
            @Nullable Integer logprobs,
            @Nullable Integer promptLogprobs,
            boolean onlyPrompt,
            boolean tokenIds) {}

    private final Wanted request;
    private final List<ValidRequest> prompts;
    private final long createdSeconds;
    private final TokenTexts texts;
    private final List<Choice> choices = new ArrayList<>();

    /** What is known of one choice while it is streamed. */
    private static final class Choice {
        private final @Nullable LegacyLogprobs logprobs;
        private boolean begun;

        Choice(@Nullable LegacyLogprobs logprobs) {
            this.logprobs = logprobs;
        }
    }

    CompletionFormat(CompletionRequest request, List<ValidRequest> prompts, long createdSeconds) {
        this(
                new Wanted(
                        request.n(),
                        request.echo(),
                        request.logprobs(),
                        request.promptLogprobs(),
                        request.onlyPrompt(),
                        request.tokenIds()),
                prompts,
                createdSeconds);
    }

    CompletionFormat(Wanted request, List<ValidRequest> prompts, long createdSeconds) {
        this.request = request;
        this.prompts = List.copyOf(prompts);
        this.createdSeconds = createdSeconds;
        this.texts = new TokenTexts(prompts.getFirst().model());
        boolean skipSpecialTokens = prompts.getFirst().text().skipSpecialTokens();
        for (int i = 0; i < prompts.size() * request.n(); i++) {
            choices.add(new Choice(
                    request.logprobs() == null
                            ? null
                            : new LegacyLogprobs(texts, request.logprobs(), skipSpecialTokens)));
        }
    }

    @Override
    public ObjectNode whole(List<WholeAnswer.Part> parts) {
        var answer = head();
        var list = answer.putArray("choices");
        var usage = new OutputEvent.Usage(0, 0, 0);
        for (int prompt = 0; prompt < parts.size(); prompt++) {
            var part = parts.get(prompt);
            keepPromptLogprobs(prompt, part.promptLogprobs());
            for (int output = 0; output < part.outputs().size(); output++) {
                var whole = part.outputs().get(output);
                var delta = new OutputEvent.Delta(output, 0, whole.text(), whole.tokens(), whole.finish());
                var choice = choice(prompt, delta);
                choice.set(
                        "prompt_logprobs",
                        request.promptLogprobs() == null
                                ? null
                                : texts.promptLogprobs(part.promptLogprobs(), request.promptLogprobs()));
                list.add(choice);
            }
            usage = AnswerFormat.sum(usage, part.usage());
        }
        answer.set("usage", AnswerFormat.json(usage(usage)));
        return answer;
    }

    @Override
    public List<ObjectNode> begin(int prompt, OutputEvent.Started started) {
        keepPromptLogprobs(prompt, started.promptLogprobs());
        return List.of();
    }

    @Override
    public ObjectNode chunk(int prompt, OutputEvent.Delta delta) {
        var chunk = head();
        chunk.putArray("choices").add(choice(prompt, delta));
        return chunk;
    }

    @Override
    public ObjectNode emptyChunk() {
        var chunk = head();
        chunk.putArray("choices");
        return chunk;
    }

    @Override
    public OutputEvent.Usage usage(OutputEvent.Usage counted) {
        return request.onlyPrompt()
                ? new OutputEvent.Usage(counted.promptTokens(), 0, counted.cachedTokens())
                : counted;
    }

    private void keepPromptLogprobs(int prompt, List<ScoredToken> scored) {
        if (!request.echo()) {
            return;
        }
        int first = prompts.get(prompt).generation().prompt()[0];
        for (int output = 0; output < request.n(); output++) {
            var logprobs = choices.get(prompt * request.n() + output).logprobs;
            if (logprobs != null) {
                logprobs.addPrompt(first, scored);
            }
        }
    }

    private ObjectNode choice(int prompt, OutputEvent.Delta delta) {
        int index = prompt * request.n() + delta.outputIndex();
        var state = choices.get(index);
        List<ScoredToken> tokens = request.onlyPrompt() ? List.of() : delta.tokens();
        var choice = Json.object();
        choice.put("index", index);
        choice.put("text", text(prompt, state, delta));
        choice.set(
                "logprobs",
                state.logprobs == null ? null : state.logprobs.add(tokens).take());
        AnswerFormat.putFinish(choice, delta.finish());
        if (request.onlyPrompt() && delta.finish() != null) {
            choice.put("finish_reason", "length");
            choice.putNull("stop_reason");
        }
        if (request.tokenIds()) {
            choice.set("token_ids", TokenTexts.ids(tokens));
            choice.set(
                    "prompt_token_ids",
                    state.begun
                            ? null
                            : TokenTexts.ids(prompts.get(prompt).generation().prompt()));
        }
        state.begun = true;
        return choice;
    }

    private String text(int prompt, Choice state, OutputEvent.Delta delta) {
        if (!request.onlyPrompt()) {
            return delta.text();
        }
        return state.begun ? "" : prompts.get(prompt).promptText();
    }

    private ObjectNode head() {
        var node = Json.object();
        node.put("id", "cmpl-" + prompts.getFirst().generation().id());
        node.put("object", "text_completion");
        node.put("created", createdSeconds);
        node.put("model", prompts.getFirst().model().name());
        return node;
    }
}
