package dev.kvasir.model.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The header of a safetensors file: which tensor lies where. Every rule of the format is checked, so that each byte after
 * the header belongs to exactly one tensor.
 *
 * <pre>
 * [0, 8)             header length n, little-endian
 * [8, 8 + n)         JSON object, UTF-8: name -> {dtype, shape, data_offsets: [begin, end)}; may be padded with spaces
 * [8 + n, file end)  the data, which offsets count from
 * </pre>
 */
final class SafetensorsHeader {
    static final int LENGTH_BYTES = 8;
    static final long LENGTH_MAX = 100_000_000;
    private static final int DIMENSIONS_MAX = 16;
    private static final String METADATA = "__metadata__";
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    /**
     * A tensor's place.
     *
     * @param begin offset of its first byte in the data
     */
    record Entry(String name, StoredType type, List<Integer> shape, long begin, long end) {
        long byteSize() {
            return end - begin;
        }
    }

    private final Path file;
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private SafetensorsHeader(Path file) {
        this.file = file;
    }

    /**
     * Reads and checks a header.
     *
     * @param json the bytes between length and data
     * @param dataSize bytes of the file after the header
     */
    static Map<String, Entry> parse(Path file, ByteBuffer json, long dataSize) {
        var header = new SafetensorsHeader(file);
        if (!json.hasRemaining() || json.get(json.position()) != '{') {
            throw new ModelFileException(file, "header", null, "must begin with '{'");
        }
        try (var parser = JSON.createParser(header.decoded(json))) {
            header.readTensors(parser);
        } catch (JsonProcessingException e) {
            throw new ModelFileException(file, "header", null, "is not valid JSON: " + e.getOriginalMessage());
        } catch (IOException e) {
            throw new ModelFileException(file, "header", null, "cannot be read: " + e.getMessage());
        }
        header.checkCoverage(dataSize);
        return header.entries;
    }

    private String decoded(ByteBuffer json) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(json.duplicate()).toString();
        } catch (CharacterCodingException _) {
            throw new ModelFileException(file, "header", null, "is not valid UTF-8");
        }
    }

    private void readTensors(JsonParser parser) throws IOException {
        parser.nextToken();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            var name = parser.currentName();
            var value = parser.nextToken();
            if (value != JsonToken.START_OBJECT) {
                throw new ModelFileException(file, name, parser.getText(), "must be an object");
            }
            if (name.equals(METADATA)) {
                readMetadata(parser);
            } else {
                entries.put(name, readTensor(parser, name));
            }
        }
        if (parser.nextToken() != null) {
            throw new ModelFileException(file, "header", parser.getText(), "has something after its end");
        }
    }

    private void readMetadata(JsonParser parser) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            var key = METADATA + "." + parser.currentName();
            if (parser.nextToken() != JsonToken.VALUE_STRING) {
                throw new ModelFileException(file, key, parser.getText(), "must be a string");
            }
        }
    }

    private Entry readTensor(JsonParser parser, String name) throws IOException {
        @Nullable StoredType type = null;
        @Nullable List<Long> shape = null;
        @Nullable List<Long> offsets = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            var field = parser.currentName();
            parser.nextToken();
            switch (field) {
                case "dtype" -> type = readType(parser, name);
                case "shape" -> shape = readNumbers(parser, name + ".shape", DIMENSIONS_MAX);
                case "data_offsets" -> offsets = readNumbers(parser, name + ".data_offsets", 2);
                default -> throw new ModelFileException(file, name + "." + field, null, "is not known");
            }
        }
        if (type == null || shape == null || offsets == null || offsets.size() != 2) {
            throw new ModelFileException(file, name, null, "must have dtype, shape and two data_offsets");
        }
        return checked(name, type, shape, offsets.getFirst(), offsets.getLast());
    }

    private StoredType readType(JsonParser parser, String name) throws IOException {
        var text = parser.currentToken() == JsonToken.VALUE_STRING ? parser.getText() : "";
        return StoredType.named(text)
                .orElseThrow(() -> new ModelFileException(file, name + ".dtype", text, "is not known"));
    }

    private List<Long> readNumbers(JsonParser parser, String key, int countMax) throws IOException {
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            throw new ModelFileException(file, key, parser.getText(), "must be a list");
        }
        var numbers = new ArrayList<Long>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            boolean whole = parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                    && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
            if (!whole || parser.getLongValue() < 0) {
                throw new ModelFileException(file, key, parser.getText(), "must be whole numbers from 0");
            }
            if (numbers.size() == countMax) {
                throw new ModelFileException(file, key, null, "must have at most %d items".formatted(countMax));
            }
            numbers.add(parser.getLongValue());
        }
        return numbers;
    }

    private Entry checked(String name, StoredType type, List<Long> shape, long begin, long end) {
        if (begin > end) {
            throw new ModelFileException(file, name + ".data_offsets", offsets(begin, end), "are reversed");
        }
        long bytes = type.bytes();
        var dimensions = new ArrayList<Integer>(shape.size());
        try {
            for (long dimension : shape) {
                bytes = Math.multiplyExact(bytes, dimension);
                dimensions.add(Math.toIntExact(dimension));
            }
        } catch (ArithmeticException _) {
            throw new ModelFileException(file, name + ".shape", shape, "is too large");
        }
        if (bytes != end - begin) {
            throw new ModelFileException(
                    file,
                    name + ".data_offsets",
                    offsets(begin, end),
                    "hold %d bytes, but shape %s of %s needs %d".formatted(end - begin, shape, type, bytes));
        }
        return new Entry(name, type, List.copyOf(dimensions), begin, end);
    }

    private void checkCoverage(long dataSize) {
        var ordered = entries.values().stream()
                .sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end))
                .toList();
        long covered = 0;
        for (var entry : ordered) {
            if (entry.begin() != covered) {
                throw new ModelFileException(
                        file,
                        entry.name() + ".data_offsets",
                        offsets(entry.begin(), entry.end()),
                        entry.begin() < covered
                                ? "overlap a tensor that ends at " + covered
                                : "leave a hole: the tensor before ends at " + covered);
            }
            covered = entry.end();
            if (covered > dataSize) {
                throw new ModelFileException(
                        file,
                        entry.name() + ".data_offsets",
                        offsets(entry.begin(), entry.end()),
                        "end past the file's data, which has %d bytes".formatted(dataSize));
            }
        }
        if (covered != dataSize) {
            throw new ModelFileException(
                    file, "", null, "has %d bytes of data, its tensors only %d".formatted(dataSize, covered));
        }
    }

    private static String offsets(long begin, long end) {
        return "[%d, %d]".formatted(begin, end);
    }
}
