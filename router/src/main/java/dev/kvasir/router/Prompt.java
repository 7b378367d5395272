package dev.kvasir.router;

import dev.kvasir.model.tokenizer.ChatMessage;
import java.util.List;

/** What a client wants continued, as it came. */
public sealed interface Prompt {
    record Text(String text, boolean addSpecialTokens) implements Prompt {}

    /** Token ids, unchecked. */
    @SuppressWarnings("ArrayRecordComponent") // Many thousand ids, read once, never compared.
    record Tokens(long[] ids) implements Prompt {}

    record Chat(List<ChatMessage> messages, boolean addGenerationPrompt, boolean continueFinalMessage)
            implements Prompt {
        public Chat {
            messages = List.copyOf(messages);
        }
    }
}
