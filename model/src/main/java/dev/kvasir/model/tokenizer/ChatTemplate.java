package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.jinja.Limits;
import dev.kvasir.model.jinja.Template;
import dev.kvasir.model.jinja.TemplateException;
import dev.kvasir.model.jinja.Text;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The chat template of a model folder, from {@code chat_template.jinja} (and {@code additional_chat_templates/}) or from
 * {@code chat_template} in {@code tokenizer_config.json}: conversations to prompts, exactly as transformers renders them.
 * Templates come from the model folder alone, never from a request. Immutable; any number of threads may use it.
 */
public final class ChatTemplate {
    private static final String DEFAULT = "default";
    private static final String TOOL_USE = "tool_use";
    private static final String CONTINUED = "CONTINUE_FINAL_MESSAGE_TAG ";

    private final Map<String, Template> templates;
    private final Map<String, Text> specialTokens;
    private final String sources;
    private final Limits limits;
    private final Supplier<LocalDateTime> now;

    private ChatTemplate(
            Map<String, Template> templates,
            Map<String, Text> specialTokens,
            Limits limits,
            Supplier<LocalDateTime> now) {
        this.templates = templates;
        this.specialTokens = specialTokens;
        this.sources = String.join(
                "\n", templates.values().stream().map(Template::source).toList());
        this.limits = limits;
        this.now = now;
    }

    /** Opens the chat template of a model folder; a folder without one has one that refuses every conversation. */
    public static ChatTemplate open(Path folder) {
        return open(folder, Limits.DEFAULT, LocalDateTime::now);
    }

    /**
     * Opens the chat template of a model folder.
     *
     * @param limits for each rendering
     * @param now what templates that write today's date are told
     */
    public static ChatTemplate open(Path folder, Limits limits, Supplier<LocalDateTime> now) {
        var templates = new TreeMap<String, Template>();
        var config = folder.resolve("tokenizer_config.json");
        JsonNode configured = SpecialTokens.json(config).path("chat_template");
        if (configured.isTextual()) {
            templates.put(DEFAULT, compiled(config, "chat_template", configured.textValue()));
        }
        for (JsonNode named : configured.isArray() ? configured : List.<JsonNode>of()) {
            String name = named.path("name").asText();
            templates.put(
                    name,
                    compiled(
                            config,
                            "chat_template." + name,
                            named.path("template").asText()));
        }
        files(folder).forEach((name, file) -> templates.put(name, compiled(file, "", TokenizerFile.text(file))));
        var specialTokens = new TreeMap<String, Text>();
        SpecialTokens.read(folder).texts().forEach((name, text) -> specialTokens.put(name, Text.own(text)));
        return new ChatTemplate(templates, specialTokens, limits, now);
    }

    private static Map<String, Path> files(Path folder) {
        var files = new TreeMap<String, Path>();
        var more = folder.resolve("additional_chat_templates");
        if (Files.isDirectory(more)) {
            try (var listed = Files.newDirectoryStream(more, "*.jinja")) {
                for (Path file : listed) {
                    String name = String.valueOf(file.getFileName());
                    files.put(name.substring(0, name.length() - ".jinja".length()), file);
                }
            } catch (IOException e) {
                throw new ModelFileException(more, "", null, "cannot be read: " + e);
            }
        }
        var single = folder.resolve("chat_template.jinja");
        if (Files.exists(single)) {
            files.put(DEFAULT, single);
        }
        return files;
    }

    private static Template compiled(Path file, String key, String source) {
        try {
            return Template.compile(source);
        } catch (TemplateException e) {
            throw new ModelFileException(file, key, null, "is not a chat template: " + e.getMessage());
        }
    }

    /** Whether the model has a chat template at all. */
    public boolean exists() {
        return !templates.isEmpty();
    }

    /**
     * Renders a conversation. Throws {@link PromptException} where the template refuses it (with the template's own
     * message), cannot make sense of it, or would take more than its limits.
     */
    public RenderedPrompt render(List<ChatMessage> messages, ChatOptions options) {
        var variables = new LinkedHashMap<String, @Nullable Object>(specialTokens);
        variables.putAll(options.variables());
        variables.put("messages", values(messages, options.continueFinalMessage()));
        variables.put("tools", options.tools());
        variables.put("documents", options.documents());
        variables.put("add_generation_prompt", options.addGenerationPrompt());
        Text text;
        try {
            text = chosen(options).render(variables, limits, now);
        } catch (TemplateException e) {
            throw new PromptException(
                    e.kind() == TemplateException.Kind.RAISED
                            ? String.valueOf(e.getMessage())
                            : "the chat template cannot render this conversation: " + e.getMessage());
        }
        return options.continueFinalMessage()
                ? cut(text)
                : prompt(text, text.value().length());
    }

    private Template chosen(ChatOptions options) {
        if (templates.isEmpty()) {
            throw new PromptException("the model has no chat template: neither chat_template.jinja nor chat_template in"
                    + " tokenizer_config.json; it can complete text only");
        }
        Template forTools = options.tools() == null ? null : templates.get(TOOL_USE);
        Template template = forTools != null ? forTools : templates.get(DEFAULT);
        if (template == null) {
            throw new PromptException(
                    "the model has chat templates %s but none named %s".formatted(templates.keySet(), DEFAULT));
        }
        return template;
    }

    /** Messages as a template sees them. Roles count as the template's own: many templates write them into markers. */
    private static List<Object> values(List<ChatMessage> messages, boolean continued) {
        var values = new ArrayList<Object>();
        for (int i = 0; i < messages.size(); i++) {
            var message = messages.get(i);
            boolean last = i == messages.size() - 1;
            var value = new LinkedHashMap<String, @Nullable Object>();
            value.put("role", Text.own(message.role()));
            value.put("content", continued && last ? marked(message.content()) : message.content());
            value.putAll(message.fields());
            values.add(value);
        }
        return values;
    }

    /** The content with a mark at its end, where its last text is. */
    private static Object marked(@Nullable Object content) {
        if (content instanceof String text) {
            return text + CONTINUED;
        }
        if (content instanceof List<?> parts) {
            for (int i = parts.size() - 1; i >= 0; i--) {
                if (parts.get(i) instanceof Map<?, ?> part && part.get("text") instanceof String text) {
                    var markedPart = new LinkedHashMap<Object, @Nullable Object>(part);
                    markedPart.put("text", text + CONTINUED);
                    var marked = new ArrayList<@Nullable Object>(parts);
                    marked.set(i, markedPart);
                    return marked;
                }
            }
        }
        throw new PromptException("continue_final_message needs a last message with a text");
    }

    /** The prompt up to the mark; blanks before it go where the template has cut those after it. */
    private RenderedPrompt cut(Text text) {
        int mark = text.value().lastIndexOf(CONTINUED.strip());
        if (mark < 0) {
            throw new PromptException(
                    "continue_final_message: the chat template does not write the last message as it is");
        }
        int end = mark;
        while (!text.value().startsWith(CONTINUED, mark)
                && end > 0
                && blank(text.value().codePointBefore(end))) {
            end--;
        }
        return prompt(text, end);
    }

    private static boolean blank(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    private RenderedPrompt prompt(Text text, int end) {
        Text kept = text.upTo(end);
        return new RenderedPrompt(kept.value(), kept.givenSpans(), sources);
    }
}
