package dev.kvasir.model.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An object of a JSON configuration file. Reads typed values and refuses wrong ones with file, key and value. A key that
 * is absent or null has its default.
 */
public final class ConfigJson {
    private static final long FILE_BYTES_MAX = 16 << 20;

    /** Not-a-number is a literal that Python writes; it is read here to be refused by name. */
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private final Path file;
    private final String prefix;
    private final JsonNode node;

    private ConfigJson(Path file, String prefix, JsonNode node) {
        this.file = file;
        this.prefix = prefix;
        this.node = node;
    }

    /** Reads a file that must hold one object. */
    public static ConfigJson read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new ModelFileException(file, "", null, "no such file");
        }
        JsonNode node;
        try {
            if (Files.size(file) > FILE_BYTES_MAX) {
                throw new ModelFileException(file, "size", Files.size(file), "must be at most " + FILE_BYTES_MAX);
            }
            node = MAPPER.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw new ModelFileException(file, "", null, "is not valid JSON: " + where(e));
        } catch (IOException e) {
            throw new ModelFileException(file, "", null, "cannot be read: " + e.getMessage());
        }
        if (!node.isObject()) {
            throw new ModelFileException(file, "", null, "must hold a JSON object");
        }
        return new ConfigJson(file, "", node);
    }

    /** What no file gives: every key has its default. */
    public static ConfigJson empty(Path file) {
        return new ConfigJson(file, "", JsonNodeFactory.instance.objectNode());
    }

    private static String where(JsonProcessingException e) {
        var at = e.getLocation();
        return at == null
                ? e.getOriginalMessage()
                : "%s (line %d, column %d)".formatted(e.getOriginalMessage(), at.getLineNr(), at.getColumnNr());
    }

    public Path file() {
        return file;
    }

    /** All keys of this object, in the order of the file. */
    public List<String> keys() {
        var keys = new ArrayList<String>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    /** Whether a key is there and not null. */
    public boolean has(String key) {
        return node.hasNonNull(key);
    }

    /** Whether a key is there and null, which turns some things off. */
    public boolean nulled(String key) {
        return node.has(key) && node.get(key).isNull();
    }

    /** A nested object; empty where absent. */
    public Optional<ConfigJson> object(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        var value = node.get(key);
        if (!value.isObject()) {
            throw refuse(key, "must be an object");
        }
        return Optional.of(new ConfigJson(file, prefix + key + ".", value));
    }

    public Optional<String> text(String key) {
        if (!has(key)) {
            return Optional.empty();
        }
        if (!node.get(key).isTextual()) {
            throw refuse(key, "must be a string");
        }
        return Optional.of(node.get(key).textValue());
    }

    public boolean flag(String key, boolean whenAbsent) {
        if (!has(key)) {
            return whenAbsent;
        }
        if (!node.get(key).isBoolean()) {
            throw refuse(key, "must be true or false");
        }
        return node.get(key).booleanValue();
    }

    /** A whole number in [min, max] that has to be there. */
    public int integer(String key, int min, int max) {
        if (!has(key)) {
            throw refuse(key, "is missing");
        }
        var value = node.get(key);
        if (!value.isIntegralNumber()) {
            throw refuse(key, "must be a whole number");
        }
        if (!value.canConvertToLong() || value.longValue() < min || value.longValue() > max) {
            throw refuse(key, "must be between %d and %d".formatted(min, max));
        }
        return value.intValue();
    }

    public int integer(String key, int min, int max, int whenAbsent) {
        return has(key) ? integer(key, min, max) : whenAbsent;
    }

    /** A finite number that has to be there. */
    public double number(String key) {
        if (!has(key)) {
            throw refuse(key, "is missing");
        }
        var value = node.get(key);
        if (!value.isNumber()) {
            throw refuse(key, "must be a number");
        }
        if (!Double.isFinite(value.doubleValue())) {
            throw refuse(key, "must be finite");
        }
        return value.doubleValue();
    }

    public double number(String key, double whenAbsent) {
        return has(key) ? number(key) : whenAbsent;
    }

    /** A finite number above 0. */
    public double positive(String key) {
        double value = number(key);
        if (value <= 0) {
            throw refuse(key, "must be above 0");
        }
        return value;
    }

    public double positive(String key, double whenAbsent) {
        return has(key) ? positive(key) : whenAbsent;
    }

    /** One whole number or a list of them, as token ids are written; empty where absent. */
    public List<Integer> integers(String key, int min, int max, int countMax) {
        if (!has(key)) {
            return List.of();
        }
        var value = node.get(key);
        var items =
                value.isArray() ? value : JsonNodeFactory.instance.arrayNode().add(value);
        if (items.size() > countMax) {
            throw refuse(key, "must have at most %d items, has %d".formatted(countMax, items.size()));
        }
        var integers = new ArrayList<Integer>(items.size());
        for (var item : items) {
            boolean whole = item.isIntegralNumber() && item.canConvertToInt();
            if (!whole || item.intValue() < min || item.intValue() > max) {
                throw refuse(key, "must be whole numbers between %d and %d".formatted(min, max));
            }
            integers.add(item.intValue());
        }
        return integers;
    }

    /** A list of finite numbers above 0, of exactly that many. */
    public List<Double> positives(String key, int count) {
        var items = list(key, count);
        var numbers = new ArrayList<Double>(count);
        for (var item : items) {
            if (!item.isNumber() || !Double.isFinite(item.doubleValue()) || item.doubleValue() <= 0) {
                throw refuse(key, "must be finite numbers above 0");
            }
            numbers.add(item.doubleValue());
        }
        return numbers;
    }

    /** A list of strings, of exactly that many. */
    public List<String> texts(String key, int count) {
        var texts = new ArrayList<String>(count);
        for (var item : list(key, count)) {
            if (!item.isTextual()) {
                throw refuse(key, "must be strings");
            }
            texts.add(item.textValue());
        }
        return texts;
    }

    /** A list of strings of any length up to a bound; empty where absent. */
    public List<String> textsUpTo(String key, int countMax) {
        return has(key) ? texts(key, Math.min(node.get(key).size(), countMax)) : List.of();
    }

    private JsonNode list(String key, int count) {
        if (!has(key)) {
            throw refuse(key, "is missing");
        }
        var value = node.get(key);
        if (!value.isArray() || value.size() != count) {
            throw refuse(key, "must be a list of %d items, has %d".formatted(count, value.size()));
        }
        return value;
    }

    /** A fault of a key of this object, with the value it has. */
    public ModelFileException refuse(String key, String why) {
        @Nullable JsonNode value = node.get(key);
        // Numbers that JSON cannot write would be quoted.
        return new ModelFileException(
                file, prefix + key, value != null && value.isNumber() ? value.asText() : value, why);
    }
}
