package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against what Hugging Face's own library says; {@code src/test/python/make_tokenizers.py} wrote it down. */
class TokenizerTest {
    static final Path FOLDER = Path.of("src/test/resources/tokenizers");

    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void encodesAsHuggingFaceDoes(String name) throws IOException {
        try (var tokenizer = Tokenizer.open(FOLDER.resolve(name))) {
            for (JsonNode expected : expected(name).path("encodings")) {
                String text = expected.path("text").asText();
                assertThat(tokenizer.encode(text, false)).as(text).isEqualTo(ids(expected.path("ids")));
                assertThat(tokenizer.encode(text, true)).as(text).isEqualTo(ids(expected.path("with_special")));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void decodesAsHuggingFaceDoes(String name) throws IOException {
        try (var tokenizer = Tokenizer.open(FOLDER.resolve(name))) {
            assertThat(tokenizer.vocabularySize())
                    .isEqualTo(expected(name).path("vocabulary_size").asInt());
            for (JsonNode expected : expected(name).path("decodings")) {
                int[] ids = ids(expected.path("ids"));
                assertThat(tokenizer.decode(ids, false))
                        .isEqualTo(expected.path("text").asText());
                assertThat(tokenizer.decode(ids, true))
                        .isEqualTo(expected.path("skipped").asText());
            }
        }
    }

    static JsonNode expected(String name) throws IOException {
        return new ObjectMapper()
                .readTree(FOLDER.resolve(name).resolve("expected.json").toFile());
    }

    static int[] ids(JsonNode list) {
        return IntStream.range(0, list.size()).map(i -> list.get(i).asInt()).toArray();
    }
}
