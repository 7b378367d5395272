package dev.kvasir.model.tokenizer;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One message of a conversation, as a chat template sees it.
 *
 * @param role who speaks; a plain name, since templates write it into their markers
 * @param content what is said: a text, a list of parts for templates that know them, or null beside tool calls
 * @param fields whatever else the message says ({@code name}, {@code tool_calls}, {@code tool_call_id}, {@code
 *     reasoning_content}, ...), as JSON values: null, Boolean, Number, String, List, Map
 */
public record ChatMessage(String role, @Nullable Object content, Map<String, @Nullable Object> fields) {
    private static final Pattern ROLE = Pattern.compile("[A-Za-z0-9_.-]{1,64}");

    public ChatMessage {
        if (!ROLE.matcher(role).matches()) {
            throw new PromptException("role is %s; it may be 1 to 64 letters, digits, '_', '.' or '-'"
                    .formatted(role.length() > 80 ? role.substring(0, 80) + "..." : role));
        }
        fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
        if (fields.containsKey("role") || fields.containsKey("content")) {
            throw new PromptException("role and content of a message are given twice");
        }
    }

    public ChatMessage(String role, String content) {
        this(role, content, Map.of());
    }
}
