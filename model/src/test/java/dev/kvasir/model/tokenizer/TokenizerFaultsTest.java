package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerFaultsTest {
    @TempDir
    Path folder;

    private void refused(String json, String... messages) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), json);
        assertThatThrownBy(() -> Tokenizer.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("tokenizer.json")
                .hasMessageContainingAll(messages);
    }

    private void refusedWhere(Consumer<ObjectNode> change, String... messages) throws IOException {
        var json = (ObjectNode) new ObjectMapper()
                .readTree(TokenizerTest.FOLDER
                        .resolve("byte-level/tokenizer.json")
                        .toFile());
        change.accept(json);
        refused(json.toString(), messages);
    }

    @Test
    void aMissingFileIsNamed() {
        assertThatThrownBy(() -> Tokenizer.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessageContaining("tokenizer.json: is missing");
    }

    @Test
    void aBrokenFileIsRefusedWithWhatIsWrong() throws IOException {
        refused("", "not a JSON object");
        refused("[]", "not a JSON object");
        refused("{\"model\": {\"vocab\": {", "not valid JSON", "line 1");
        refused("{}", "model.vocab", "missing or empty");
        refused("{\"model\": 5}", "model");
        refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": \"x\"}, \"merges\": []}}", "model.vocab.a");
        refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 4000000000}, \"merges\": []}}", "4000000000");
        refused("{\"model\": {\"type\": \"Nothing\", \"vocab\": {\"a\": 0}}}", "not a tokenizer that can be used");
        refusedWhere(
                json -> ((ArrayNode) json.at("/model/merges"))
                        .insertArray(0)
                        .add("q")
                        .add("nope"),
                "not a tokenizer that can be used");
    }

    @Test
    void gapsAndCollisionsInTheVocabularyAreRefused() throws IOException {
        refusedWhere(json -> ((ObjectNode) json.at("/model/vocab")).put("gap", 5000), "names no token");
        refused(
                "{\"added_tokens\": [], \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 2}, \"merges\": []}}",
                "id 1 names no token",
                "ids run up to 2");
        refusedWhere(json -> ((ObjectNode) json.at("/model/vocab")).put("twice", 5), "is the id of both", "twice");
        refusedWhere(
                json -> ((ArrayNode) json.at("/added_tokens"))
                        .addObject()
                        .put("id", 9000)
                        .put("content", "<x>")
                        .put("special", true),
                "added_tokens[6].id = 9000",
                "without gaps");
    }

    @Test
    void hugeAddedTokensAreRefused() throws IOException {
        refusedWhere(
                json -> ((ObjectNode) json.at("/added_tokens/3")).put("content", "x".repeat(100_000)),
                "added_tokens[3].content",
                "at most 512");
        refusedWhere(json -> ((ObjectNode) json.at("/added_tokens/3")).put("content", ""), "added_tokens[3].content");
    }

    @Test
    void anUnknownDecoderIsRefused() throws IOException {
        refusedWhere(
                json -> json.putObject("decoder")
                        .put("type", "CTC")
                        .put("pad_token", "<pad>")
                        .put("word_delimiter_token", "|")
                        .put("cleanup", true),
                "decoder",
                "CTC is not supported");
    }

    @Test
    void truncationAndPaddingOfTheFileAreIgnored() throws IOException {
        var json = (ObjectNode) new ObjectMapper()
                .readTree(TokenizerTest.FOLDER
                        .resolve("byte-level/tokenizer.json")
                        .toFile());
        json.putObject("truncation")
                .put("direction", "Right")
                .put("max_length", 5)
                .put("strategy", "LongestFirst")
                .put("stride", 0);
        Files.writeString(folder.resolve("tokenizer.json"), json.toString());
        try (var tokenizer = Tokenizer.open(folder)) {
            assertThat(tokenizer.encode("1 ".repeat(3000), true)).hasSizeGreaterThan(3000);
        }
    }

    @Test
    void aTextBeyondTheLimitIsRefusedBeforeAnyWork() {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("byte-level"), 1000, 0)) {
            assertThat(tokenizer.encode("x".repeat(1000), false)).isNotEmpty();
            assertThatThrownBy(() -> tokenizer.encode("x".repeat(1001), false))
                    .isInstanceOf(PromptException.class)
                    .hasMessage("the prompt has 1001 characters, at most 1000 are encoded");
        }
    }

    @Test
    void halvesOfCharactersBecomeReplacements() {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("byte-level"))) {
            for (String text : new String[] {"\uD83D", "\uDE00", "a\uD83Db", "\uDE00\uD83D", "x\uD83D\uDE00\uD83D"}) {
                String valid = NativeTokenizer.withoutLoneSurrogates(text);
                assertThat(tokenizer.decode(tokenizer.encode(text, false), false))
                        .isEqualTo(valid);
            }
        }
    }

    @Test
    void useAfterClosingThrowsAndClosingTwiceIsFine() {
        var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("byte-level"));
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenizer.encode("x", false)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void manyThreadsEncodeAlike() throws InterruptedException, ExecutionException {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("regex-split"));
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            int[] expected = tokenizer.encode("the quick brown fox 123 日本", false);
            var tasks = new ArrayList<Future<int[]>>();
            Callable<int[]> task = () -> tokenizer.encode("the quick brown fox 123 日本", false);
            for (int i = 0; i < 500; i++) {
                tasks.add(threads.submit(task));
            }
            for (var result : tasks) {
                assertThat(result.get()).isEqualTo(expected);
            }
        }
    }
}
