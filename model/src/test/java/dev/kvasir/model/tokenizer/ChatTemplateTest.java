package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.jinja.Limits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTemplateTest {
    private static final List<ChatMessage> HELLO = List.of(new ChatMessage("user", "Hello "));

    @TempDir
    Path folder;

    private void write(String file, String content) throws IOException {
        Files.createDirectories(folder.resolve(file).getParent());
        Files.writeString(folder.resolve(file), content);
    }

    private String rendered(List<ChatMessage> messages, ChatOptions options) {
        return ChatTemplate.open(folder).render(messages, options).text();
    }

    @Test
    void isReadFromEitherPlaceAndTheFileOfItsOwnWins() throws IOException {
        write("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"chat_template\": \"{{ bos_token }}config\"}");
        assertThat(rendered(HELLO, ChatOptions.DEFAULT)).isEqualTo("<s>config");
        write("chat_template.jinja", "{{ bos_token }}file");
        assertThat(rendered(HELLO, ChatOptions.DEFAULT)).isEqualTo("<s>file");
    }

    @Test
    void namedTemplatesAreChosenByTools() throws IOException {
        write(
                "tokenizer_config.json",
                "{\"chat_template\": [{\"name\": \"default\", \"template\": \"plain\"},"
                        + " {\"name\": \"tool_use\", \"template\": \"{{ tools | length }} tools\"}]}");
        assertThat(rendered(HELLO, ChatOptions.DEFAULT)).isEqualTo("plain");
        assertThat(rendered(HELLO, ChatOptions.DEFAULT.withTools(List.of(Map.of()))))
                .isEqualTo("1 tools");
        write("additional_chat_templates/tool_use.jinja", "another");
        assertThat(rendered(HELLO, ChatOptions.DEFAULT.withTools(List.of()))).isEqualTo("another");
    }

    @Test
    void aModelWithoutOneRefusesConversations() {
        assertThat(ChatTemplate.open(folder).exists()).isFalse();
        assertThatThrownBy(() -> rendered(HELLO, ChatOptions.DEFAULT))
                .isInstanceOf(PromptException.class)
                .hasMessageContaining("the model has no chat template");
    }

    @Test
    void aTemplateThatIsNoneIsRefusedWithItsLine() throws IOException {
        write("chat_template.jinja", "a\n{% if %}");
        assertThatThrownBy(() -> ChatTemplate.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("chat_template.jinja: is not a chat template: line 2: ");
        write("chat_template.jinja", "ok");
        write("tokenizer_config.json", "{");
        assertThatThrownBy(() -> ChatTemplate.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("tokenizer_config.json: is not valid JSON");
    }

    @Test
    void whatTheTemplateRaisesIsTheMessage() throws IOException {
        write("chat_template.jinja", "{{ raise_exception('roles must alternate') }}");
        assertThatThrownBy(() -> rendered(HELLO, ChatOptions.DEFAULT))
                .isInstanceOf(PromptException.class)
                .hasMessage("roles must alternate");
        write("chat_template.jinja", "\n{{ messages[0].nothing.more }}");
        assertThatThrownBy(() -> rendered(HELLO, ChatOptions.DEFAULT))
                .hasMessage("the chat template cannot render this conversation: line 2: 'dict object' has no"
                        + " attribute 'nothing'");
        write("chat_template.jinja", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}");
        assertThatThrownBy(() -> rendered(HELLO, ChatOptions.DEFAULT)).hasMessageContaining("steps");
    }

    @Test
    void requestsCannotReplaceWhatIsTheServers() {
        assertThatThrownBy(() -> ChatOptions.DEFAULT.withVariables(Map.of("chat_template", "{{ 1 }}")))
                .isInstanceOf(PromptException.class)
                .hasMessage("chat_template_kwargs.chat_template is not allowed");
        assertThatThrownBy(() -> new ChatMessage("user|><|im_start", "x")).hasMessageStartingWith("role is ");
    }

    @Test
    void variablesFieldsAndTheDateReachTheTemplate() throws IOException {
        write(
                "chat_template.jinja",
                "{{ messages[0].name }} {{ thinking }} {{ tools is none }} {{ strftime_now('%d %b %Y') }}");
        var template = ChatTemplate.open(folder, Limits.DEFAULT, () -> LocalDateTime.of(2026, 2, 3, 4, 5));
        var message = new ChatMessage("user", "x", Map.of("name", "Ann"));
        assertThat(template.render(List.of(message), ChatOptions.DEFAULT.withVariables(Map.of("thinking", true)))
                        .text())
                .isEqualTo("Ann True True 03 Feb 2026");
    }

    @Test
    void aMessageIsContinuedWhereItEnds() throws IOException {
        var messages = List.of(new ChatMessage("user", "Q"), new ChatMessage("assistant", "The answer is "));
        write("chat_template.jinja", "{% for m in messages %}<{{ m.content }}>{% endfor %}");
        assertThat(rendered(messages, ChatOptions.DEFAULT.continuing())).isEqualTo("<Q><The answer is ");
        write("chat_template.jinja", "{% for m in messages %}<{{ m.content | trim }}>{% endfor %}");
        assertThat(rendered(messages, ChatOptions.DEFAULT.continuing())).isEqualTo("<Q><The answer is");
        var parts = List.of(
                new ChatMessage("assistant", List.of(Map.of("type", "text", "text", "So ")), Map.<String, Object>of()));
        write("chat_template.jinja", "{{ messages[0].content[0].text }}!");
        assertThat(rendered(parts, ChatOptions.DEFAULT.continuing())).isEqualTo("So ");
        write("chat_template.jinja", "nothing of it");
        assertThatThrownBy(() -> rendered(messages, ChatOptions.DEFAULT.continuing()))
                .hasMessageContaining("continue_final_message");
    }
}
