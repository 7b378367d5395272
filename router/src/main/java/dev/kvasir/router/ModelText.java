package dev.kvasir.router;

import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.ChatOptions;
import dev.kvasir.model.tokenizer.Detokenizer;
import dev.kvasir.model.tokenizer.RenderedPrompt;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.protocol.BadRequestException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A model's text: its tokenizer, and its chat template where it has one. Safe for use by many threads.
 *
 * @param chat empty for a model that takes no conversations
 */
public record ModelText(Tokenizer tokenizer, Optional<ChatRenderer> chat) {
    private static final byte[] NO_BYTES = {};

    /** A chat template. */
    @FunctionalInterface
    public interface ChatRenderer {
        /**
         * Messages to a prompt.
         *
         * @throws dev.kvasir.model.tokenizer.PromptException where the template refuses the messages
         */
        RenderedPrompt render(List<ChatMessage> messages, ChatOptions options);
    }

    /** @param scope whose text it is; null for nobody's, encoded as if none of it had been before */
    int[] encode(String text, boolean addSpecialTokens, @Nullable String scope) {
        return scope == null
                ? tokenizer.encode(text, addSpecialTokens)
                : tokenizer.encode(text, addSpecialTokens, scope);
    }

    /** With a scope as {@link #encode} has. */
    int[] encodeChat(Prompt.Chat conversation, @Nullable String scope) {
        var renderer = chat.orElseThrow(() -> new BadRequestException("messages", "the model has no chat template"));
        var prompt = renderer.render(conversation.messages(), conversation.options());
        return scope == null ? tokenizer.encodeChat(prompt) : tokenizer.encodeChat(prompt, scope);
    }

    String decode(int[] tokens, boolean skipSpecialTokens) {
        return tokenizer.decode(tokens, skipSpecialTokens);
    }

    /** The bytes that a token stands for; none for an id without a token, as padded models have. */
    public byte[] bytes(int token) {
        return token < 0 || token >= tokenizer.vocabularySize() ? NO_BYTES : tokenizer.bytes(token);
    }

    Detokenizer detokenizer(boolean skipSpecialTokens) {
        return tokenizer.detokenizer(skipSpecialTokens);
    }
}
