package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The library's encoding of the whole text is the oracle. Segments are far shorter than those that are served with, so that there
 * are cuts everywhere. A failing seed is printed; {@code -Dseed=} replays it.
 */
class SegmentEncoderProperties {
    private static final int RUNS = 400;
    private static final int CACHE_BYTES = 20_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** What is hard: white space in runs, line ends of all kinds, letters that combine, normalise or lie beyond the first plane. */
    private static final String[] PIECES = {
        " ", " ", " ", "  ", "   ", "\n", "\n", "\n\n", "\r\n", "\r", "\t", "\u00a0", "\u3000", "\u2028", "a", "b",
        "word", "Words", "the", "I'm", "he'll", "'s", "'S", "'", "7", "42", "12345", "٣", "é", "e\u0301", "\u0301", "ß",
        "İ", "ﬁ", "Å", "中文", "ไทย", "한", "한", "🙂", "👩‍👩", "\uD83D", ".", ",", "...", "!\n", "/", "//\n", "<", ">",
        "|", "▁", "Ġ", "##", "\u0000", "\uFFFD", "_", "-", "ab cd", "ab\ncd", "x.\ny", "x \ny", "x\n\ny", "x\n y",
        "a b", "9 a", "a 9"
    };

    /** Regular expressions of families that are served. */
    private static final List<String> PATTERNS = List.of(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    private static String json(String name) {
        return TokenizerFile.text(TokenizerTest.FOLDER.resolve(name).resolve("tokenizer.json"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void partsHaveTheIdsOfTheWhole(String name) {
        assertIdsOfTheWhole(json(name), RUNS);
    }

    @Test
    void theBundledModelsPartsHaveTheIdsOfTheWhole() {
        assertIdsOfTheWhole(TokenizerFile.text(Path.of("demo/tokenizer.json")), RUNS);
    }

    static Stream<String> patterns() {
        return PATTERNS.stream();
    }

    @ParameterizedTest
    @MethodSource("patterns")
    void partsHaveTheIdsOfTheWholeUnder(String pattern) throws IOException {
        var file = (ObjectNode) JSON.readTree(json("regex-split"));
        ((ObjectNode) file.at("/pre_tokenizer/pretokenizers/0/pattern")).put("Regex", pattern);
        joinWhiteSpace(file);
        assertThat(cutsBetweenWords(file)).isTrue();
        assertIdsOfTheWhole(file.toString(), RUNS);
    }

    /** Makes tokens of what a split in another place would put together, in the place of the last that merges make. */
    private static void joinWhiteSpace(ObjectNode file) {
        var merges = (ArrayNode) file.at("/model/merges");
        var vocabulary = (ObjectNode) file.at("/model/vocab");
        var joined = List.of("Ġ Ċ", "Ċ Ċ", "Ġ Ġ", "Ċ a", "b Ġ", "č Ċ");
        var missing = joined.stream()
                .filter(pair -> !vocabulary.has(pair.replace(" ", "")))
                .toList();
        for (int i = 0; i < missing.size(); i++) {
            int last = merges.size() - 1 - i;
            var old = merges.get(last);
            var token = old.isArray()
                    ? old.get(0).asText() + old.get(1).asText()
                    : old.asText().replace(" ", "");
            var pair = missing.get(i).split(" ", -1);
            vocabulary.set(pair[0] + pair[1], vocabulary.remove(token));
            if (old.isArray()) {
                merges.set(last, JSON.createArrayNode().add(pair[0]).add(pair[1]));
            } else {
                merges.set(last, JSON.getNodeFactory().textNode(missing.get(i)));
            }
        }
    }

    /** What the beginning of a text, or letters around a token, may change. */
    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void partsHaveTheIdsOfTheWholeHoweverTokensAreMatched(String name) throws IOException {
        long first = Long.getLong("seed", 1);
        for (long seed = first; seed < first + (System.getProperty("seed") == null ? 12 : 1); seed++) {
            var random = new Random(seed);
            var file = (ObjectNode) JSON.readTree(json(name));
            for (JsonNode token : file.path("added_tokens")) {
                for (var flag : new String[] {"lstrip", "rstrip", "single_word", "normalized"}) {
                    if (random.nextInt(flag.equals("single_word") ? 40 : 4) == 0) {
                        ((ObjectNode) token).put(flag, random.nextBoolean());
                    }
                }
            }
            changePreTokenizer(file, random);
            if (name.equals("regex-split")) {
                joinWhiteSpace(file);
            }
            assertIdsOfTheWhole(file.toString(), 30);
        }
    }

    private static void changePreTokenizer(ObjectNode file, RandomGenerator random) throws IOException {
        if (file.at("/pre_tokenizer/type").asText().equals("Metaspace")) {
            ((ObjectNode) file.path("pre_tokenizer"))
                    .put("prepend_scheme", new String[] {"first", "never", "always"}[random.nextInt(3)]);
        }
        for (JsonNode step : file.at("/pre_tokenizer/pretokenizers")) {
            if (step.path("type").asText().equals("ByteLevel")) {
                ((ObjectNode) step).put("add_prefix_space", random.nextBoolean());
            }
        }
        if (random.nextInt(3) == 0) {
            file.set(
                    "normalizer", JSON.readTree(random.nextBoolean() ? "{\"type\": \"NFKC\"}" : "{\"type\": \"NFD\"}"));
        }
    }

    private static void assertIdsOfTheWhole(String json, int runs) {
        var path = Path.of("tokenizer.json");
        var file = TokenizerFile.parse(path, json);
        try (var library = NativeTokenizer.create(path, json)) {
            long first = Long.getLong("seed", 1);
            for (long seed = first; seed < first + (System.getProperty("seed") == null ? runs : 1); seed++) {
                var random = new Random(seed);
                var segments = SegmentEncoder.of(file, library, CACHE_BYTES, 1 + random.nextInt(24));
                var text = text(random, file);
                for (int turn = 0; turn < 4; turn++) {
                    for (boolean special : new boolean[] {true, false}) {
                        assertThat(segments.encode(text, special, ""))
                                .withFailMessage("seed %d, turn %d: %s", seed, turn, text)
                                .isEqualTo(library.encode(text, special));
                    }
                    text = text.substring(0, random.nextInt(text.length() + 1)) + text(random, file);
                }
            }
        }
    }

    private static String text(RandomGenerator random, TokenizerFile file) {
        var text = new StringBuilder();
        var added = file.added();
        for (int i = random.nextInt(80); i > 0; i--) {
            int kind = random.nextInt(12);
            if (kind == 0 && !added.isEmpty()) {
                text.append(added.get(random.nextInt(added.size())).content());
            } else if (kind == 1 && !added.isEmpty()) {
                var content = added.get(random.nextInt(added.size())).content();
                text.append(content, 0, random.nextInt(content.length() + 1));
            } else {
                text.append(PIECES[random.nextInt(PIECES.length)]);
            }
        }
        return text.toString();
    }

    private static boolean cutsBetweenWords(JsonNode file) {
        var cuts = SafeCuts.of(TokenizerFile.parse(Path.of("tokenizer.json"), file.toString()));
        return cuts != null && cuts.next("these are words", 0, 1) == 5 && cuts.next("a line.\nAnd another", 0, 3) == 8;
    }

    @Test
    void whatIsSentAgainIsFoundAndOthersFindNothing() {
        var path = TokenizerTest.FOLDER.resolve("regex-split").resolve("tokenizer.json");
        var json = json("regex-split");
        try (var library = NativeTokenizer.create(path, json)) {
            var segments = SegmentEncoder.of(TokenizerFile.parse(path, json), library, 1 << 20);
            var document = "A line of a document that somebody asks questions about.\n".repeat(200);
            segments.encode(document + "First question?", false, "one");
            assertThat(segments.reuse().found()).isLessThan(document.length()); // Lines repeat within it.
            long before = segments.reuse().found();
            segments.encode(document + "Second question?", false, "one");
            assertThat(segments.reuse().found() - before).isGreaterThan(document.length() - 1200L);
            long after = segments.reuse().found();
            segments.encode("Something else. " + document.substring(0, 3000), false, "two");
            assertThat(segments.reuse().found()).isEqualTo(after);
        }
    }

    @Test
    void memoryIsBounded() {
        var cache = new SegmentCache(10_000);
        var kept = new ArrayList<SegmentCache.Key>();
        for (int i = 0; i < 100; i++) {
            var key = new SegmentCache.Key("", "text " + i);
            cache.keep(key, new int[100]);
            kept.add(key);
            assertThat(cache.bytes()).isLessThanOrEqualTo(10_000);
            assertThat(cache.find(key)).isNotNull();
        }
        assertThat(cache.find(kept.getFirst())).isNull();
        cache.keep(new SegmentCache.Key("", "long"), new int[10_000]);
        assertThat(cache.find(new SegmentCache.Key("", "long"))).isNull();
    }
}
