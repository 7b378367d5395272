package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * Names of control tokens that nobody can write who does not know them, and the {@code tokenizer.json} in which control
 * tokens go by them. They are lower-case letters and digits alone, which every normaliser keeps.
 */
record SecretNames(String secret) {
    static SecretNames fresh() {
        byte[] random = new byte[16];
        new SecureRandom().nextBytes(random);
        return new SecretNames("kv" + HexFormat.of().formatHex(random));
    }

    String of(AddedToken token) {
        return secret + "q" + token.id() + "q";
    }

    /** The file with control tokens renamed wherever they stand; a merge that would make one is left out. */
    String rename(Path path, String json, List<AddedToken> controls) {
        var names = new HashMap<String, String>();
        controls.forEach(token -> names.put(token.content(), of(token)));
        var factory = new JsonFactory().setCodec(new ObjectMapper());
        var out = new StringWriter(json.length());
        try (var in = factory.createParser(json);
                var copy = factory.createGenerator(out)) {
            in.nextToken();
            copy.writeStartObject();
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                copy.writeFieldName(in.currentName());
                switch (in.currentName()) {
                    case "truncation", "padding", "post_processor" -> {
                        in.nextToken();
                        in.skipChildren();
                        copy.writeNull();
                    }
                    case "added_tokens" -> addedTokens(in, copy, names);
                    case "model" -> model(in, copy, names);
                    default -> copyValue(in, copy);
                }
            }
            copy.writeEndObject();
        } catch (IOException e) {
            throw new ModelFileException(path, "", null, "cannot be copied: " + e.getMessage());
        }
        return out.toString();
    }

    private static void addedTokens(JsonParser in, JsonGenerator copy, Map<String, String> names) throws IOException {
        in.nextToken();
        JsonNode tokens = in.readValueAsTree();
        for (JsonNode token : tokens) {
            String name = names.get(token.path("content").asText());
            if (name != null) {
                ((ObjectNode) token).put("content", name);
            }
        }
        copy.writeTree(tokens);
    }

    private static void model(JsonParser in, JsonGenerator copy, Map<String, String> names) throws IOException {
        in.nextToken();
        copy.writeStartObject();
        while (in.nextToken() == JsonToken.FIELD_NAME) {
            String key = in.currentName();
            copy.writeFieldName(key);
            switch (key) {
                case "vocab" -> vocabulary(in, copy, names);
                case "merges" -> merges(in, copy, names);
                case "unk_token" -> {
                    if (in.nextToken() == JsonToken.VALUE_STRING) {
                        copy.writeString(names.getOrDefault(in.getText(), in.getText()));
                    } else {
                        copy.copyCurrentStructure(in);
                    }
                }
                default -> copyValue(in, copy);
            }
        }
        copy.writeEndObject();
    }

    private static void vocabulary(JsonParser in, JsonGenerator copy, Map<String, String> names) throws IOException {
        if (in.nextToken() == JsonToken.START_OBJECT) {
            copy.writeStartObject();
            while (in.nextToken() == JsonToken.FIELD_NAME) {
                copy.writeFieldName(names.getOrDefault(in.currentName(), in.currentName()));
                copyValue(in, copy);
            }
            copy.writeEndObject();
            return;
        }
        copy.writeStartArray();
        while (in.nextToken() != JsonToken.END_ARRAY) {
            JsonNode pair = in.readValueAsTree();
            String piece = pair.path(0).asText();
            copy.writeStartArray();
            copy.writeString(names.getOrDefault(piece, piece));
            copy.writeTree(pair.path(1));
            copy.writeEndArray();
        }
        copy.writeEndArray();
    }

    private static void merges(JsonParser in, JsonGenerator copy, Map<String, String> names) throws IOException {
        in.nextToken();
        copy.writeStartArray();
        while (in.nextToken() != JsonToken.END_ARRAY) {
            JsonNode merge = in.readValueAsTree();
            int space = merge.asText().indexOf(' ');
            String left =
                    merge.isArray() ? merge.path(0).asText() : merge.asText().substring(0, Math.max(space, 0));
            String right =
                    merge.isArray() ? merge.path(1).asText() : merge.asText().substring(space + 1);
            if (!names.containsKey(left) && !names.containsKey(right) && !names.containsKey(left + right)) {
                copy.writeTree(merge);
            }
        }
        copy.writeEndArray();
    }

    private static void copyValue(JsonParser in, JsonGenerator copy) throws IOException {
        in.nextToken();
        copy.copyCurrentStructure(in);
    }
}
