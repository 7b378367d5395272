package dev.kvasir.router;

import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.ChatOptions;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a client wants continued, as it came. */
public sealed interface Prompt {
    record Text(String text, boolean addSpecialTokens) implements Prompt {}

    /** Token ids, unchecked. */
    @SuppressWarnings("ArrayRecordComponent") // Many thousand ids, read once, never compared.
    record Tokens(long[] ids) implements Prompt {}

    /**
     * A conversation.
     *
     * @param variables further ones of the chat template, such as {@code enable_thinking}: values of JSON
     */
    record Chat(
            List<ChatMessage> messages,
            boolean addGenerationPrompt,
            boolean continueFinalMessage,
            Map<String, ? extends @Nullable Object> variables)
            implements Prompt {
        public Chat {
            messages = List.copyOf(messages);
        }

        public Chat(List<ChatMessage> messages, boolean addGenerationPrompt, boolean continueFinalMessage) {
            this(messages, addGenerationPrompt, continueFinalMessage, Map.of());
        }

        ChatOptions options() {
            return new ChatOptions(addGenerationPrompt, continueFinalMessage, null, null, variables);
        }
    }
}
