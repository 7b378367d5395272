package dev.kvasir.router;

import dev.kvasir.model.GenerationDefaults;
import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.ChatOptions;
import dev.kvasir.model.tokenizer.RenderedPrompt;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.protocol.BadRequestException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A small model with a real byte-level tokenizer and conversations between {@code <|im_start|>} and {@code <|im_end|>}. */
public final class TestModel {
    public static final String NAME = "test-model";
    public static final int END_TOKEN = 2;
    public static final int MAX_MODEL_LENGTH = 256;
    public static final Tokenizer TOKENIZER =
            Tokenizer.open(Path.of("..", "model", "src", "test", "resources", "tokenizers", "byte-level"));

    private TestModel() {}

    public static ServedModel served() {
        return served(GenerationDefaults.none(List.of(END_TOKEN)));
    }

    static ServedModel served(GenerationDefaults defaults) {
        var text = new ModelText(TOKENIZER, Optional.of(TestModel::render));
        return ServedModel.of(NAME, text, defaults, MAX_MODEL_LENGTH, TOKENIZER.vocabularySize());
    }

    public static int[] tokens(String text) {
        return TOKENIZER.encode(text, false);
    }

    private static RenderedPrompt render(List<ChatMessage> messages, ChatOptions options) {
        if (!options.continueFinalMessage() && !options.addGenerationPrompt() && messages.size() > 100) {
            throw new BadRequestException("messages", "too many");
        }
        var text = new StringBuilder();
        var spans = new ArrayList<Integer>();
        for (var message : messages) {
            text.append("<|im_start|>").append(message.role()).append('\n');
            spans.add(text.length());
            text.append(message.content());
            spans.add(text.length());
            boolean goesOn = options.continueFinalMessage() && spans.size() == 2 * messages.size();
            text.append(goesOn ? "" : "<|im_end|>\n");
        }
        options.variables()
                .forEach((name, value) ->
                        text.append(name).append('=').append(value).append('\n'));
        if (options.addGenerationPrompt()) {
            text.append("<|im_start|>assistant\n");
        }
        return new RenderedPrompt(
                text.toString(), spans.stream().mapToInt(Integer::intValue).toArray(), "<|im_start|><|im_end|>");
    }
}
