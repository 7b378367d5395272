package dev.kvasir.router;

import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.Detokenizer;
import dev.kvasir.model.tokenizer.RenderedPrompt;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.protocol.BadRequestException;
import java.util.List;
import java.util.Optional;

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
        RenderedPrompt render(List<ChatMessage> messages, boolean addGenerationPrompt, boolean continueFinalMessage);
    }

    int[] encode(String text, boolean addSpecialTokens) {
        return tokenizer.encode(text, addSpecialTokens);
    }

    int[] encodeChat(Prompt.Chat conversation) {
        var renderer = chat.orElseThrow(() -> new BadRequestException("messages", "the model has no chat template"));
        return tokenizer.encodeChat(renderer.render(
                conversation.messages(), conversation.addGenerationPrompt(), conversation.continueFinalMessage()));
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
