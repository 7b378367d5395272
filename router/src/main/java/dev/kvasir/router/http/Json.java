package dev.kvasir.router.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.Limits;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** JSON in, strictly and bounded, and out. */
final class Json {
    static final int DEPTH_MAX = 64;
    /** Every bracket, name and value is a token; a prompt of token ids is the most that a request needs. */
    static final int TOKENS_MAX = 1_000_000;

    private static final int NUMBER_MAX = 64;
    private static final int NAME_MAX = 256;
    private static final Pattern PARSER_WORDS = Pattern.compile(
            " \\(for \\w+ starting at \\[Source: .*|\\[Source: REDACTED[^;]*; |: enable `[^`]*` to allow|, from `[^`]*`");
    private static final ObjectMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEPTH_MAX)
                            .maxNumberLength(NUMBER_MAX)
                            .maxNameLength(NAME_MAX)
                            .maxTokenCount(TOKENS_MAX)
                            .maxStringLength(Integer.MAX_VALUE) // The body's size is the limit.
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .build();

    private Json() {}

    static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** One object and nothing else. */
    static ObjectNode parse(byte[] body) {
        try (var parser = MAPPER.createParser(body)) {
            JsonNode node = MAPPER.readTree(parser);
            if (node == null || node.isMissingNode()) {
                throw invalid("body is not valid JSON: it is empty", null);
            }
            if (parser.nextToken() != null) {
                var at = parser.currentTokenLocation();
                throw HttpRefusal.of(
                        400,
                        "invalid_json",
                        "body is not valid JSON: more follows the first value (line %d, column %d)"
                                .formatted(at.getLineNr(), at.getColumnNr()));
            }
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw HttpRefusal.of(400, "invalid_json", "body is a JSON %s but must be an object".formatted(kind(node)));
        } catch (StreamConstraintsException e) {
            throw invalid("body is over a limit: " + firstLine(e), e);
        } catch (JsonProcessingException e) {
            throw invalid("body is not valid JSON: " + firstLine(e), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] bytes(JsonNode node) {
        try {
            return MAPPER.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write JSON", e);
        }
    }

    /** JSON values as plain Java: null, Boolean, Number, String, List, Map. */
    static @Nullable Object plain(JsonNode node) {
        return MAPPER.convertValue(node, Object.class);
    }

    /** A word for messages. */
    static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case ARRAY -> "array";
            case BOOLEAN -> "boolean";
            case NULL -> "null";
            case NUMBER -> "number";
            case OBJECT -> "object";
            case STRING -> "string";
            default -> "value";
        };
    }

    /** Text with U+FFFD for each half of a surrogate pair, which UTF-8 cannot hold. */
    static String clean(String text) {
        if (isUnicode(text)) {
            return text;
        }
        return text.codePoints()
                .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    static boolean isUnicode(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                if (Character.isLowSurrogate(c)
                        || i + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    return false;
                }
                i++;
            }
        }
        return true;
    }

    private static HttpRefusal invalid(String message, @Nullable JsonProcessingException cause) {
        var at = cause == null ? null : cause.getLocation();
        return HttpRefusal.of(
                400,
                "invalid_json",
                at == null
                        ? message + " (line 1, column 1)"
                        : "%s (line %d, column %d)".formatted(message, at.getLineNr(), at.getColumnNr()));
    }

    /** Without what only the parser's programmer understands. */
    private static String firstLine(JsonProcessingException e) {
        var line = String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse("");
        line = PARSER_WORDS.matcher(line).replaceAll("");
        return line.length() > 200 ? Limits.shorten(line) : line;
    }
}
