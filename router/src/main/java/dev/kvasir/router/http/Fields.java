package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.Limits;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fields of a JSON object, read with their exact types: no text that looks like a number, no number that looks like
 * true. Null is the same as absent. Knows which fields nobody has asked for.
 */
final class Fields {
    private static final Logger LOG = LoggerFactory.getLogger(Fields.class);

    private final ObjectNode object;
    private final String path;
    private final Set<String> read = new HashSet<>();

    Fields(ObjectNode object) {
        this(object, "");
    }

    /** @param path put before names in messages, such as {@code messages[2].} */
    Fields(ObjectNode object, String path) {
        this.object = object;
        this.path = path;
    }

    /** Null where absent. */
    @Nullable
    JsonNode node(String name) {
        read.add(name);
        var node = object.get(name);
        return node == null || node.isNull() ? null : node;
    }

    @Nullable
    String text(String name) {
        var node = node(name);
        return node == null ? null : text(path + name, node);
    }

    static String text(String field, JsonNode node) {
        if (!node.isTextual()) {
            throw wrong(field, node, "a string");
        }
        if (!Json.isUnicode(node.textValue())) {
            throw new BadRequestException(field, field + " has half a surrogate pair but must be valid Unicode");
        }
        return node.textValue();
    }

    @Nullable
    Boolean flag(String name) {
        var node = node(name);
        if (node == null) {
            return null;
        }
        if (!node.isBoolean()) {
            throw wrong(path + name, node, "true or false");
        }
        return node.booleanValue();
    }

    boolean flag(String name, boolean otherwise) {
        var value = flag(name);
        return value == null ? otherwise : value;
    }

    @Nullable
    Long integer(String name) {
        var node = node(name);
        return node == null ? null : integer(path + name, node);
    }

    static long integer(String field, JsonNode node) {
        if (!isInteger(node)) {
            throw wrong(field, node, "a 64-bit integer");
        }
        return node.longValue();
    }

    /** An element of a list, which is named only where it is wrong: lists of tokens are long. */
    static long integer(String list, int index, JsonNode node) {
        return isInteger(node) ? node.longValue() : integer(list + "[" + index + "]", node);
    }

    private static boolean isInteger(JsonNode node) {
        return node.isIntegralNumber() && node.canConvertToLong();
    }

    @Nullable
    Double real(String name) {
        var node = node(name);
        return node == null ? null : real(path + name, node);
    }

    static double real(String field, JsonNode node) {
        if (!node.isNumber() || !Double.isFinite(node.doubleValue())) {
            throw wrong(field, node, "a finite number");
        }
        return node.doubleValue();
    }

    /** One text, or a list of texts. */
    @Nullable
    List<String> texts(String name) {
        var node = node(name);
        if (node == null) {
            return null;
        }
        if (node.isTextual()) {
            return List.of(text(path + name, node));
        }
        if (!node.isArray()) {
            throw wrong(path + name, node, "a string or a list of strings");
        }
        var texts = new ArrayList<String>(node.size());
        for (int i = 0; i < node.size(); i++) {
            texts.add(text(path + name + "[" + i + "]", node.get(i)));
        }
        return texts;
    }

    @Nullable
    List<Long> integers(String name) {
        var node = node(name);
        if (node == null) {
            return null;
        }
        if (!node.isArray()) {
            throw wrong(path + name, node, "a list of integers");
        }
        var field = path + name;
        var integers = new ArrayList<Long>(node.size());
        for (int i = 0; i < node.size(); i++) {
            integers.add(integer(field, i, node.get(i)));
        }
        return integers;
    }

    /** An object with token ids for names, as JSON has them: in decimal. */
    @Nullable
    Map<Long, Double> realsByToken(String name) {
        var node = node(name);
        if (node == null) {
            return null;
        }
        if (!node.isObject()) {
            throw wrong(path + name, node, "an object");
        }
        var reals = new LinkedHashMap<Long, Double>();
        for (var property : node.properties()) {
            var token = property.getKey();
            if (!token.matches("0|[1-9][0-9]{0,17}")) {
                throw new BadRequestException(
                        path + name,
                        "%s has the key %s but keys must be token ids".formatted(path + name, Limits.shorten(token)));
            }
            reals.put(Long.valueOf(token), real(path + name + "[" + token + "]", property.getValue()));
        }
        return reals;
    }

    @Nullable
    Fields fields(String name) {
        var node = node(name);
        if (node == null) {
            return null;
        }
        if (node instanceof ObjectNode child) {
            return new Fields(child, path + name + ".");
        }
        throw wrong(path + name, node, "an object");
    }

    /** Refuses a field that would change the answer, unless it says that nothing is wanted. */
    void refuse(String name) {
        var node = node(name);
        if (node == null || (node.isContainerNode() && node.isEmpty()) || (node.isBoolean() && !node.booleanValue())) {
            return;
        }
        throw HttpRefusal.unsupported(path + name, path + name + " is not supported yet");
    }

    /** Notes at debug level what was sent and is ignored, as other servers of this API ignore it. */
    void logUnread() {
        if (LOG.isDebugEnabled()) {
            object.fieldNames().forEachRemaining(name -> {
                if (!read.contains(name)) {
                    LOG.debug("Ignored field {}", Limits.shorten(path + name));
                }
            });
        }
    }

    static BadRequestException wrong(String field, JsonNode node, String allowed) {
        return new BadRequestException(
                field,
                "%s is %s (%s) but must be %s"
                        .formatted(
                                field,
                                node.isContainerNode() ? "of " + node.size() + " elements" : Limits.shorten(node),
                                Json.kind(node),
                                allowed));
    }
}
