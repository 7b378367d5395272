package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ValidRequest;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** {@code /v1/chat/completions}. */
final class ChatFormat implements AnswerFormat {
    private final int n;
    private final @Nullable Integer logprobs;
    private final @Nullable Integer promptLogprobs;
    private final boolean tokenIds;
    private final ValidRequest valid;
    private final long createdSeconds;
    private final TokenTexts texts;

    ChatFormat(ChatRequest request, ValidRequest valid, long createdSeconds) {
        this(request.n(), request.logprobs(), request.promptLogprobs(), request.tokenIds(), valid, createdSeconds);
    }

    ChatFormat(
            int n,
            @Nullable Integer logprobs,
            @Nullable Integer promptLogprobs,
            boolean tokenIds,
            ValidRequest valid,
            long createdSeconds) {
        this.n = n;
        this.logprobs = logprobs;
        this.promptLogprobs = promptLogprobs;
        this.tokenIds = tokenIds;
        this.valid = valid;
        this.createdSeconds = createdSeconds;
        this.texts = new TokenTexts(valid.model());
    }

    @Override
    public ObjectNode whole(List<WholeAnswer.Part> parts) {
        var part = parts.getFirst();
        var answer = head("chat.completion");
        var choices = answer.putArray("choices");
        for (int i = 0; i < part.outputs().size(); i++) {
            var output = part.outputs().get(i);
            var choice = choices.addObject();
            choice.put("index", i);
            var message = choice.putObject("message");
            message.put("role", "assistant");
            message.put("content", output.text());
            message.putNull("refusal");
            putTokens(choice, output.tokens());
            AnswerFormat.putFinish(choice, output.finish());
        }
        answer.set("usage", AnswerFormat.json(part.usage()));
        answer.set(
                "prompt_logprobs",
                promptLogprobs == null ? null : texts.promptLogprobs(part.promptLogprobs(), promptLogprobs));
        if (tokenIds) {
            answer.set("prompt_token_ids", TokenTexts.ids(valid.generation().prompt()));
        }
        return answer;
    }

    /** The first delta of each output carries the role. */
    @Override
    public List<ObjectNode> begin(int prompt, OutputEvent.Started started) {
        return IntStream.range(0, n).mapToObj(this::roleChunk).toList();
    }

    @Override
    public ObjectNode chunk(int prompt, OutputEvent.Delta delta) {
        var chunk = emptyChunk();
        var choice = chunk.withArray("choices").addObject();
        choice.put("index", delta.outputIndex());
        var content = choice.putObject("delta");
        if (!delta.text().isEmpty() || delta.finish() == null) {
            content.put("content", delta.text());
        }
        putTokens(choice, delta.tokens());
        AnswerFormat.putFinish(choice, delta.finish());
        return chunk;
    }

    @Override
    public ObjectNode emptyChunk() {
        var chunk = head("chat.completion.chunk");
        chunk.putArray("choices");
        return chunk;
    }

    @Override
    public OutputEvent.Usage usage(OutputEvent.Usage counted) {
        return counted;
    }

    private ObjectNode roleChunk(int index) {
        var chunk = emptyChunk();
        var choice = chunk.withArray("choices").addObject();
        choice.put("index", index);
        var delta = choice.putObject("delta");
        delta.put("role", "assistant");
        delta.put("content", "");
        choice.putNull("logprobs");
        AnswerFormat.putFinish(choice, null);
        if (tokenIds && index == 0) {
            chunk.set("prompt_token_ids", TokenTexts.ids(valid.generation().prompt()));
        }
        return chunk;
    }

    private void putTokens(ObjectNode choice, List<ScoredToken> tokens) {
        choice.set("logprobs", logprobs == null ? null : texts.chatLogprobs(tokens, logprobs));
        if (tokenIds) {
            choice.set("token_ids", TokenTexts.ids(tokens));
        }
    }

    private ObjectNode head(String object) {
        var node = Json.object();
        node.put("id", "chatcmpl-" + valid.generation().id());
        node.put("object", object);
        node.put("created", createdSeconds);
        node.put("model", valid.model().name());
        return node;
    }
}
