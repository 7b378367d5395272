package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.kvasir.model.ModelFileException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * The named special tokens of a model folder, {@code bos_token}, {@code eos_token} and so on, as texts: from
 * {@code tokenizer_config.json}, else from {@code special_tokens_map.json}.
 */
record SpecialTokens(Map<String, String> texts) {
    SpecialTokens {
        texts = Map.copyOf(texts);
    }

    static SpecialTokens read(Path folder) {
        var texts = new TreeMap<String, String>();
        for (String name : new String[] {"special_tokens_map.json", "tokenizer_config.json"}) {
            json(folder.resolve(name)).properties().forEach(field -> {
                JsonNode value = field.getValue().path("content").isTextual()
                        ? field.getValue().path("content")
                        : field.getValue();
                if (field.getKey().endsWith("_token") && value.isTextual()) {
                    texts.put(field.getKey(), value.textValue());
                }
            });
        }
        return new SpecialTokens(texts);
    }

    /** A JSON file that need not be there. */
    static JsonNode json(Path path) {
        if (!Files.exists(path)) {
            return MissingNode.getInstance();
        }
        try {
            return new ObjectMapper().readTree(TokenizerFile.text(path));
        } catch (JsonProcessingException e) {
            throw new ModelFileException(
                    path,
                    "",
                    null,
                    "is not valid JSON: " + e.getOriginalMessage() + ", line "
                            + e.getLocation().getLineNr());
        }
    }
}
