package dev.kvasir.model.tokenizer;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How a conversation is rendered. Tools, documents and variables are JSON values: null, Boolean, Number, String, List,
 * Map.
 *
 * @param addGenerationPrompt whether the prompt ends where the assistant begins to speak
 * @param continueFinalMessage whether it ends within the last message, to be continued
 * @param tools functions the model may call, null for none
 * @param documents texts to draw on, null for none
 * @param variables further variables of the template, such as {@code enable_thinking}
 */
public record ChatOptions(
        boolean addGenerationPrompt,
        boolean continueFinalMessage,
        @Nullable List<?> tools,
        @Nullable List<?> documents,
        Map<String, ? extends @Nullable Object> variables) {
    /** A prompt for the assistant's next message. */
    public static final ChatOptions DEFAULT = new ChatOptions(true, false, null, null, Map.of());

    private static final Set<String> RESERVED = Set.of(
            "messages",
            "tools",
            "documents",
            "add_generation_prompt",
            "continue_final_message",
            "chat_template",
            "tokenize");

    public ChatOptions {
        if (addGenerationPrompt && continueFinalMessage) {
            throw new PromptException("add_generation_prompt and continue_final_message exclude each other");
        }
        for (String name : variables.keySet()) {
            if (RESERVED.contains(name)) {
                throw new PromptException("chat_template_kwargs.%s is not allowed".formatted(name));
            }
        }
        variables = Collections.unmodifiableMap(new LinkedHashMap<>(variables));
    }

    public ChatOptions withTools(List<?> given) {
        return new ChatOptions(addGenerationPrompt, continueFinalMessage, given, documents, variables);
    }

    public ChatOptions withVariables(Map<String, ? extends @Nullable Object> given) {
        return new ChatOptions(addGenerationPrompt, continueFinalMessage, tools, documents, given);
    }

    /** A prompt to continue the last message. */
    public ChatOptions continuing() {
        return new ChatOptions(false, true, tools, documents, variables);
    }

    /** A prompt that ends with the last message. */
    public ChatOptions withoutGenerationPrompt() {
        return new ChatOptions(false, false, tools, documents, variables);
    }
}
