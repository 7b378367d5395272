package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a {@code tokenizer.json} says about its tokens, checked: every id below {@link #size} names exactly one text,
 * and each added token gets the id that the library will give it.
 *
 * @param pieces text of each id, as stored (byte-level letters, {@code ▁} for a space)
 * @param unknownToken what the model makes of characters it does not know
 * @param random whether the same text may be given different ids
 */
record TokenizerFile(
        Path path,
        List<String> pieces,
        List<AddedToken> added,
        @Nullable String unknownToken,
        JsonNode normalizer,
        JsonNode preTokenizer,
        JsonNode decoder,
        boolean random) {
    private static final long FILE_BYTES_MAX = 256L << 20;
    private static final int ID_MAX = 1 << 22;
    private static final int ADDED_TOKENS_MAX = 1 << 16;
    private static final int ADDED_TOKEN_CHARS_MAX = 512;

    /** Checks the content of the file. */
    static TokenizerFile parse(Path path, String json) {
        var reader = new Reader(path);
        try (var parser = new JsonFactory().setCodec(new ObjectMapper()).createParser(json)) {
            reader.top(parser);
        } catch (JsonProcessingException e) {
            throw new ModelFileException(
                    path,
                    "",
                    null,
                    "is not valid JSON: " + e.getOriginalMessage() + ", line "
                            + e.getLocation().getLineNr());
        } catch (IOException e) {
            throw unreadable(path, e);
        }
        return new TokenizerFile(
                path,
                List.copyOf(reader.pieces),
                List.copyOf(reader.added),
                reader.unknownToken,
                reader.normalizer,
                reader.preTokenizer,
                reader.decoder,
                reader.random);
    }

    /** Number of ids. */
    int size() {
        return pieces.size();
    }

    /** The text of a small or large file of a model folder, refused where it is missing or beyond reason. */
    static String text(Path path) {
        try {
            if (!Files.isRegularFile(path)) {
                throw new ModelFileException(path, "", null, "is missing or not a file");
            }
            long bytes = Files.size(path);
            if (bytes > FILE_BYTES_MAX) {
                throw new ModelFileException(
                        path, "", null, "has %d bytes, at most %d are read".formatted(bytes, FILE_BYTES_MAX));
            }
            return Files.readString(path);
        } catch (IOException e) {
            throw unreadable(path, e);
        }
    }

    private static ModelFileException unreadable(Path path, IOException e) {
        return new ModelFileException(path, "", null, "cannot be read: " + e);
    }

    /** One pass over the file; merges, by far its largest part, are skipped. */
    private static final class Reader {
        /** No piece of a vocabulary that can be loaded: half of a surrogate pair. */
        private static final String ABSENT = "\uD800";

        private final Path path;
        private final Map<String, Integer> ids = new HashMap<>();
        private final List<String> pieces = new ArrayList<>();
        private final List<AddedToken> added = new ArrayList<>();
        private JsonNode normalizer = NullNode.getInstance();
        private JsonNode preTokenizer = NullNode.getInstance();
        private JsonNode decoder = NullNode.getInstance();
        private boolean random;
        private @Nullable String unknownToken;

        Reader(Path path) {
            this.path = path;
        }

        void top(JsonParser parser) throws IOException {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw wrong("", null, "is not a JSON object");
            }
            JsonNode addedTokens = NullNode.getInstance();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String key = parser.currentName();
                parser.nextToken();
                switch (key) {
                    case "added_tokens" -> addedTokens = parser.readValueAsTree();
                    case "normalizer" -> normalizer = parser.readValueAsTree();
                    case "pre_tokenizer" -> preTokenizer = parser.readValueAsTree();
                    case "decoder" -> decoder = parser.readValueAsTree();
                    case "model" -> model(parser);
                    default -> parser.skipChildren();
                }
            }
            if (ids.isEmpty()) {
                throw wrong("model.vocab", null, "is missing or empty");
            }
            vocabularyPieces();
            addedTokens(addedTokens);
        }

        private void model(JsonParser parser) throws IOException {
            if (parser.currentToken() != JsonToken.START_OBJECT) {
                throw wrong("model", parser.getText(), "is not an object");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String key = parser.currentName();
                parser.nextToken();
                if (key.equals("unk_token")) {
                    unknownToken = parser.getValueAsString();
                } else if (key.equals("dropout")) {
                    random = parser.currentToken() != JsonToken.VALUE_NULL;
                } else if (!key.equals("vocab")) {
                    parser.skipChildren();
                } else if (parser.currentToken() == JsonToken.START_OBJECT) {
                    vocabularyMap(parser);
                } else if (parser.currentToken() == JsonToken.START_ARRAY) {
                    vocabularyList(parser);
                } else {
                    throw wrong("model.vocab", parser.getText(), "is neither an object nor a list");
                }
            }
        }

        private void vocabularyMap(JsonParser parser) throws IOException {
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String piece = parser.currentName();
                if (parser.nextToken() != JsonToken.VALUE_NUMBER_INT) {
                    throw wrong("model.vocab." + piece, parser.getText(), "is not a whole number");
                }
                define("model.vocab." + piece, piece, parser.getLongValue());
            }
        }

        /** The unigram form: pairs of a piece and its score, the id being the position. */
        private void vocabularyList(JsonParser parser) throws IOException {
            for (int id = 0; parser.nextToken() != JsonToken.END_ARRAY; id++) {
                JsonNode pair = parser.readValueAsTree();
                if (!pair.path(0).isTextual()) {
                    throw wrong("model.vocab[" + id + "]", pair, "is not a pair of text and score");
                }
                define("model.vocab[" + id + "]", pair.path(0).textValue(), id);
            }
        }

        private void define(String key, String piece, long id) {
            if (id < 0 || id > ID_MAX) {
                throw wrong(key, id, "is not between 0 and " + ID_MAX);
            }
            if (ids.put(piece, (int) id) != null) {
                throw wrong(key, id, "stands there twice");
            }
        }

        private void addedTokens(JsonNode list) {
            if (list.size() > ADDED_TOKENS_MAX) {
                throw wrong("added_tokens", list.size() + " tokens", "at most " + ADDED_TOKENS_MAX + " are allowed");
            }
            int vocabularySize = ids.size();
            int addedMax = -1;
            for (int i = 0; i < list.size(); i++) {
                AddedToken token = addedToken("added_tokens[" + i + "]", list.get(i));
                int next = Math.max(vocabularySize, addedMax + 1);
                int assigned = Objects.requireNonNullElse(ids.putIfAbsent(token.content(), next), next);
                if (assigned != token.id()) {
                    throw wrong(
                            "added_tokens[" + i + "].id",
                            token.id(),
                            "the token %s would get id %d: ids must follow one another without gaps"
                                    .formatted(token.content(), assigned));
                }
                if (assigned == pieces.size()) {
                    pieces.add(token.content());
                }
                addedMax = Math.max(addedMax, assigned);
                added.add(token);
            }
        }

        private AddedToken addedToken(String key, JsonNode node) {
            JsonNode content = node.path("content");
            if (!content.isTextual() || content.textValue().isEmpty()) {
                throw wrong(key + ".content", content.isMissingNode() ? null : content, "is not a text");
            }
            if (content.textValue().length() > ADDED_TOKEN_CHARS_MAX) {
                throw wrong(
                        key + ".content",
                        content,
                        "has %d characters, at most %d are allowed"
                                .formatted(content.textValue().length(), ADDED_TOKEN_CHARS_MAX));
            }
            JsonNode id = node.path("id");
            if (!id.isIntegralNumber() || id.longValue() < 0 || id.longValue() > ID_MAX) {
                throw wrong(key + ".id", id.isMissingNode() ? null : id, "is not between 0 and " + ID_MAX);
            }
            boolean special = node.path("special").asBoolean(false);
            var matching = new AddedToken.Matching(
                    node.path("normalized").asBoolean(!special),
                    node.path("single_word").asBoolean(false),
                    node.path("lstrip").asBoolean(false),
                    node.path("rstrip").asBoolean(false));
            return new AddedToken(id.intValue(), content.textValue(), special, matching);
        }

        /** Checks that the ids of the model's own vocabulary follow one another, each naming one piece. */
        private void vocabularyPieces() {
            int idMax = ids.values().stream().mapToInt(id -> id).max().orElse(-1);
            pieces.addAll(Collections.nCopies(idMax + 1, ABSENT));
            ids.forEach((piece, id) -> {
                String other = pieces.set(id, piece);
                if (!other.equals(ABSENT)) {
                    throw wrong("model.vocab", id, "is the id of both " + other + " and " + piece);
                }
            });
            int gap = pieces.indexOf(ABSENT);
            if (gap >= 0) {
                throw wrong("model.vocab", null, "id %d names no token, ids run up to %d".formatted(gap, idMax));
            }
        }

        private ModelFileException wrong(String key, @Nullable Object value, String why) {
            return new ModelFileException(path, key, value, why);
        }
    }
}
