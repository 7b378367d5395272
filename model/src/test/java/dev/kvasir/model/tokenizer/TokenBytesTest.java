package dev.kvasir.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenBytesTest {
    private static final String TEXT = "Hello  wörld 😀\n日本 <0x41> ▁ é\u0000";

    @ParameterizedTest
    @ValueSource(strings = {"byte-level", "regex-split"})
    void bytesOfTokensTogetherAreTheText(String name) {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve(name))) {
            assertThat(new String(bytes(tokenizer, TEXT), StandardCharsets.UTF_8))
                    .isEqualTo(TEXT);
        }
    }

    @Test
    void bytesOfMetaspaceTokensBeginWithTheSpaceThatDecodingCuts() {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("metaspace"))) {
            assertThat(new String(bytes(tokenizer, "Hello 😀 日本"), StandardCharsets.UTF_8))
                    .isEqualTo(" Hello 😀 日本");
            assertThat(tokenizer.bytes(tokenizer.encode("\u0001", false)[1])).containsExactly(1);
        }
    }

    @Test
    void idsOutsideTheVocabularyHaveNoBytesAndNoText() {
        try (var tokenizer = Tokenizer.open(TokenizerTest.FOLDER.resolve("byte-level"))) {
            int size = tokenizer.vocabularySize();
            assertThatThrownBy(() -> tokenizer.bytes(size)).hasMessageContaining("not between 0 and " + (size - 1));
            assertThatThrownBy(() -> tokenizer.bytes(-1)).isInstanceOf(IllegalArgumentException.class);
            assertThat(tokenizer.decode(new int[] {size, -1, Integer.MAX_VALUE}, false))
                    .isEmpty();
        }
    }

    private static byte[] bytes(Tokenizer tokenizer, String text) {
        var bytes = new ByteArrayOutputStream();
        for (int id : tokenizer.encode(text, false)) {
            bytes.writeBytes(tokenizer.bytes(id));
        }
        return bytes.toByteArray();
    }
}
