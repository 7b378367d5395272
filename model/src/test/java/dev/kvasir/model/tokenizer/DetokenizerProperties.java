package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A failing seed is printed; {@code -Dseed=} replays it. */
class DetokenizerProperties {
    private static final int RUNS = 300;

    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void piecesTogetherAreTheWholeAndEachIsWhole(String name) throws IOException {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve(name))) {
            for (JsonNode expected : TokenizerTest.expected(name).path("decodings")) {
                int[] ids = TokenizerTest.ids(expected.path("ids"));
                assertThat(streamed(tokenizer, ids, false))
                        .isEqualTo(expected.path("text").asText());
                assertThat(streamed(tokenizer, ids, true))
                        .isEqualTo(expected.path("skipped").asText());
            }
        }
    }

    /** The native decoder is the oracle for random ids, single bytes preferred. */
    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "metaspace", "regex-split", "unigram", "word-piece"})
    void equalsTheLibrarysDecodingOfTheWhole(String name) {
        var path = TokenizerTest.FOLDER.resolve(name).resolve("tokenizer.json");
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve(name));
                var library = NativeTokenizer.create(path, TokenizerFile.text(path))) {
            long first = Long.getLong("seed", 1);
            for (long seed = first; seed < first + (System.getProperty("seed") == null ? RUNS : 1); seed++) {
                int[] ids = ids(new Random(seed), tokenizer);
                for (boolean skips : new boolean[] {true, false}) {
                    assertThat(streamed(tokenizer, ids, skips))
                            .withFailMessage("seed %d", seed)
                            .isEqualTo(library.decode(ids, skips));
                }
            }
        }
    }

    private static int[] ids(RandomGenerator random, Tokenizer tokenizer) {
        int[] single = IntStream.range(0, tokenizer.vocabularySize())
                .filter(id -> tokenizer.bytes(id).length == 1)
                .toArray();
        return IntStream.range(0, random.nextInt(60))
                .map(_ -> single.length > 0 && random.nextInt(3) > 0
                        ? single[random.nextInt(single.length)]
                        : random.nextInt(tokenizer.vocabularySize()))
                .toArray();
    }

    private static String streamed(Tokenizer tokenizer, int[] ids, boolean skipSpecialTokens) {
        var detokenizer = tokenizer.detokenizer(skipSpecialTokens);
        var text = new StringBuilder();
        for (int id : ids) {
            String piece = detokenizer.append(id);
            assertThat(StandardCharsets.UTF_8.newEncoder().canEncode(piece))
                    .withFailMessage("half a code point in %s", piece)
                    .isTrue();
            text.append(piece);
        }
        return text.append(detokenizer.finish()).append(detokenizer.finish()).toString();
    }
}
