package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.ChatOptions;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.Limits;
import dev.kvasir.router.Prompt;
import dev.kvasir.router.RequestDraft;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A body of {@code /v1/chat/completions}.
 *
 * @param logprobs number of alternatives; null for no log-probabilities
 */
record ChatRequest(
        RequestDraft draft,
        GenerationFields.Wishes wishes,
        int n,
        @Nullable Integer logprobs,
        @Nullable Integer promptLogprobs,
        boolean tokenIds) {
    static final int MESSAGES_MAX = 4096;
    private static final List<String> UNSUPPORTED =
            List.of("tools", "functions", "documents", "chat_template", "audio", "prediction", "echo");

    static ChatRequest read(Fields fields, long arrivalNanos, @Nullable String userRequestId) {
        var wishes = GenerationFields.wishes(fields);
        GenerationFields.refusePromptLogprobsInStream(fields, wishes);
        UNSUPPORTED.forEach(fields::refuse);
        refuseTools(fields, "tool_choice");
        refuseTools(fields, "function_call");
        refuseModalities(fields);
        boolean tokenIds = fields.flag("return_token_ids", false);
        Long promptLogprobs = fields.integer("prompt_logprobs");
        Long maxTokens = fields.integer("max_completion_tokens");
        Long olderMaxTokens = fields.integer("max_tokens");
        Long logprobs = logprobs(fields);
        var draft = GenerationFields.draft(fields, arrivalNanos, userRequestId)
                .prompt(conversation(fields))
                .maxTokens(
                        maxTokens == null ? olderMaxTokens : maxTokens,
                        maxTokens == null ? "max_tokens" : "max_completion_tokens")
                .logprobs(logprobs);
        Long n = fields.integer("n");
        fields.logUnread();
        return new ChatRequest(
                draft,
                wishes,
                n == null ? 1 : Math.clamp(n, 1, Integer.MAX_VALUE),
                logprobs == null ? null : Math.clamp(logprobs, 0, Integer.MAX_VALUE),
                promptLogprobs == null ? null : Math.clamp(promptLogprobs, 0, Integer.MAX_VALUE),
                tokenIds);
    }

    static Prompt.Chat conversation(Fields fields) {
        boolean continues = fields.flag("continue_final_message", false);
        return new Prompt.Chat(
                messages(fields.node("messages")),
                fields.flag("add_generation_prompt", !continues),
                continues,
                variables(fields));
    }

    /** What the chat template is told besides the messages, such as {@code enable_thinking}. */
    private static Map<String, ? extends @Nullable Object> variables(Fields fields) {
        var given = fields.node("chat_template_kwargs");
        if (given == null) {
            return Map.of();
        }
        if (!given.isObject()) {
            throw Fields.wrong("chat_template_kwargs", given, "an object");
        }
        Map<String, @Nullable Object> variables = new LinkedHashMap<>();
        given.properties().forEach(property -> variables.put(property.getKey(), Json.plain(property.getValue())));
        try {
            return ChatOptions.DEFAULT.withVariables(variables).variables();
        } catch (PromptException e) {
            throw new BadRequestException("chat_template_kwargs", String.valueOf(e.getMessage()));
        }
    }

    private static @Nullable Long logprobs(Fields fields) {
        boolean wanted = fields.flag("logprobs", false);
        Long top = fields.integer("top_logprobs");
        if (top == null) {
            return wanted ? 0L : null;
        }
        Limits.require(top >= 0 && top <= 20, "top_logprobs", top, "0..20");
        if (!wanted && top > 0) {
            throw new BadRequestException(
                    "top_logprobs", "top_logprobs is %d but needs logprobs: true beside it".formatted(top));
        }
        return wanted ? top : null;
    }

    private static void refuseTools(Fields fields, String name) {
        var node = fields.node(name);
        if (node != null && !(node.isTextual() && List.of("none", "auto").contains(node.textValue()))) {
            throw HttpRefusal.unsupported(name, name + " is not supported yet but for \"none\" and \"auto\"");
        }
    }

    private static void refuseModalities(Fields fields) {
        var modalities = fields.texts("modalities");
        if (modalities != null && !modalities.equals(List.of("text"))) {
            throw HttpRefusal.unsupported("modalities", "modalities is not supported yet but for [\"text\"]");
        }
    }

    private static List<ChatMessage> messages(@Nullable JsonNode node) {
        if (node == null) {
            throw new BadRequestException("messages", "messages is missing but must be a list of messages");
        }
        if (!node.isArray()) {
            throw Fields.wrong("messages", node, "a list of messages");
        }
        Limits.require(
                !node.isEmpty() && node.size() <= MESSAGES_MAX,
                "messages",
                node.size() + " entries",
                "1.." + MESSAGES_MAX + " entries");
        var messages = new ArrayList<ChatMessage>(node.size());
        for (int i = 0; i < node.size(); i++) {
            var field = "messages[" + i + "]";
            if (!(node.get(i) instanceof ObjectNode message)) {
                throw Fields.wrong(field, node.get(i), "an object");
            }
            messages.add(message(new Fields(message, field + "."), message, field));
        }
        return messages;
    }

    private static ChatMessage message(Fields fields, ObjectNode message, String field) {
        var role = fields.text("role");
        if (role == null) {
            throw new BadRequestException(field + ".role", field + ".role is missing");
        }
        if (role.equals("tool") && fields.text("tool_call_id") == null) {
            throw new BadRequestException(
                    field + ".tool_call_id", field + ".tool_call_id is missing but a tool message needs it");
        }
        var content = fields.node("content");
        if (content == null && fields.node("tool_calls") == null) {
            throw new BadRequestException(field + ".content", field + ".content is missing but must be text");
        }
        Map<String, @Nullable Object> others = new LinkedHashMap<>();
        for (var property : message.properties()) {
            if (!property.getKey().equals("role") && !property.getKey().equals("content")) {
                others.put(property.getKey(), Json.plain(property.getValue()));
            }
        }
        var text = content == null ? null : content(field + ".content", content);
        try {
            return new ChatMessage(role, text, others);
        } catch (PromptException e) {
            throw new BadRequestException(field, "%s: %s".formatted(field, e.getMessage()));
        }
    }

    /** A text, or parts of text, which become lines as with vLLM. Nothing is ever fetched. */
    private static String content(String field, JsonNode content) {
        if (!content.isArray()) {
            return content.isTextual() ? Fields.text(field, content) : refuseContent(field, content);
        }
        var texts = new ArrayList<String>();
        for (int i = 0; i < content.size(); i++) {
            var part = content.get(i);
            var at = field + "[" + i + "]";
            if (part.isTextual()) {
                texts.add(Fields.text(at, part));
                continue;
            }
            var type = part.path("type").asText("");
            if (!type.equals("text")) {
                throw new BadRequestException(
                        at + ".type",
                        "%s.type is %s but the model takes only text".formatted(at, Limits.shorten(type)));
            }
            if (!part.has("text")) {
                throw new BadRequestException(at + ".text", at + ".text is missing");
            }
            texts.add(Fields.text(at + ".text", part.get("text")));
        }
        return String.join("\n", texts);
    }

    private static String refuseContent(String field, JsonNode content) {
        throw Fields.wrong(field, content, "a string or a list of text parts");
    }
}
