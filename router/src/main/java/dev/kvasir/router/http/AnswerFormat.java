package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.router.OutputEvent;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** How one path of the API words its answers. Made for one request; used under the lock of whoever writes the answer. */
interface AnswerFormat {
    /** The whole answer. */
    ObjectNode whole(List<WholeAnswer.Part> parts);

    /** Chunks to be sent when an answer begins. */
    List<ObjectNode> begin(int prompt, OutputEvent.Started started);

    ObjectNode chunk(int prompt, OutputEvent.Delta delta);

    /** A chunk that has no choices, for the usage. */
    ObjectNode emptyChunk();

    /** What the request took, all prompts together. */
    OutputEvent.Usage usage(OutputEvent.Usage counted);

    static ObjectNode json(OutputEvent.Usage usage) {
        var node = counts(usage);
        node.putObject("prompt_tokens_details").put("cached_tokens", usage.cachedTokens());
        return node;
    }

    /** Without what came from caches, which is known at the end. */
    static ObjectNode counts(OutputEvent.Usage usage) {
        var node = Json.object();
        node.put("prompt_tokens", usage.promptTokens());
        node.put("completion_tokens", usage.completionTokens());
        node.put("total_tokens", usage.promptTokens() + usage.completionTokens());
        return node;
    }

    static OutputEvent.Usage sum(OutputEvent.Usage a, OutputEvent.Usage b) {
        return new OutputEvent.Usage(
                a.promptTokens() + b.promptTokens(),
                a.completionTokens() + b.completionTokens(),
                a.cachedTokens() + b.cachedTokens());
    }

    /** {@code finish_reason} and vLLM's {@code stop_reason}. */
    static void putFinish(ObjectNode choice, OutputEvent.@Nullable Finish finish) {
        if (finish == null) {
            choice.putNull("finish_reason");
            choice.putNull("stop_reason");
            return;
        }
        choice.put("finish_reason", name(finish.reason()));
        if (finish.stopText() != null) {
            choice.put("stop_reason", finish.stopText());
        } else if (finish.stopToken().isPresent()) {
            choice.put("stop_reason", finish.stopToken().getAsInt());
        } else {
            choice.putNull("stop_reason");
        }
    }

    private static String name(FinishReason reason) {
        return reason.name().toLowerCase(Locale.ROOT);
    }
}
