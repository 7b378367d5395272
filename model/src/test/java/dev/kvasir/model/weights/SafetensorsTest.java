package dev.kvasir.model.weights;

import static dev.kvasir.model.weights.TensorFile.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsTest {
    private static final byte[] NOTHING = {};

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("model.safetensors");
    }

    @Test
    void tensorsAreFoundWhereTheHeaderPutsThem() throws IOException {
        var header = "{\"__metadata__\":{\"format\":\"pt\"},%s,%s,%s}   "
                .formatted(
                        entry("b", "F32", "[1]", 6, 10),
                        entry("a", "BF16", "[3,1]", 0, 6),
                        entry("e", "F16", "[0,4]", 10, 10));
        TensorFile.write(
                file, header.getBytes(StandardCharsets.UTF_8), new byte[] {1, 0, 2, 0, 3, 0, 0, 0, (byte) 0x80, 0x3F});
        try (var weights = SafetensorsFolder.open(folder)) {
            assertThat(weights.names()).containsExactlyInAnyOrder("a", "b", "e");
            assertThat(weights.tensor("a").shape()).containsExactly(3, 1);
            assertThat(weights.tensor("a").data().get(ValueLayout.JAVA_SHORT_UNALIGNED, 4))
                    .isEqualTo((short) 3);
            var askew = weights.tensor("b").data();
            assertThat(askew.address() % 4).isZero();
            assertThat(askew.get(ValueLayout.JAVA_FLOAT, 0)).isEqualTo(1f);
            assertThat(weights.tensor("e").data().byteSize()).isZero();
        }
    }

    static Stream<Arguments> wrongHeaders() {
        return Stream.of(
                Arguments.of("[]", 0, "header: must begin with '{'"),
                Arguments.of("", 0, "header: must begin with '{'"),
                Arguments.of(" {}", 0, "header: must begin with '{'"),
                Arguments.of("{\"a\":1}", 0, "a = 1: must be an object"),
                Arguments.of(
                        "{} x",
                        0,
                        "header: is not valid JSON: Unrecognized token 'x': was expecting (JSON String,"
                                + " Number, Array, Object or token 'null', 'true' or 'false')"),
                Arguments.of("{}{}", 0, "header = {: has something after its end"),
                Arguments.of(
                        "{%s,%s}".formatted(entry("a", "F32", "[1]", 0, 4), entry("a", "F32", "[1]", 0, 4)),
                        4,
                        "header: is not valid JSON: Duplicate field 'a'"),
                Arguments.of("{%s}".formatted(entry("a", "F31", "[1]", 0, 4)), 4, "a.dtype = F31: is not known"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[-1]", 0, 4)),
                        4,
                        "a.shape = -1: must be whole numbers from 0"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[1.5]", 0, 4)),
                        4,
                        "a.shape = 1.5: must be whole numbers from 0"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[4294967296,4294967296]", 0, 4)),
                        4,
                        "a.shape = [4294967296, 4294967296]: is too large"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[18446744073709551616]", 0, 4)),
                        4,
                        "a.shape = 18446744073709551616: must be whole numbers from 0"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[1]", 4, 0)), 4, "a.data_offsets = [4, 0]: are reversed"),
                Arguments.of(
                        "{%s,%s}".formatted(entry("a", "F32", "[1]", 0, 4), entry("b", "F32", "[1]", 2, 6)),
                        6,
                        "b.data_offsets = [2, 6]: overlap a tensor that ends at 4"),
                Arguments.of(
                        "{%s,%s}".formatted(entry("a", "F32", "[1]", 0, 4), entry("b", "F32", "[1]", 8, 12)),
                        12,
                        "b.data_offsets = [8, 12]: leave a hole: the tensor before ends at 4"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[2]", 0, 8)),
                        4,
                        "a.data_offsets = [0, 8]: end past the file's data, which has 4 bytes"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[3]", 0, 8)),
                        8,
                        "a.data_offsets = [0, 8]: hold 8 bytes, but shape [3] of F32 needs 12"),
                Arguments.of(
                        "{%s}".formatted(entry("a", "F32", "[1]", 0, 4)), 9, "has 9 bytes of data, its tensors only 4"),
                Arguments.of("{\"a\":{\"dtype\":\"F32\"}}", 0, "a: must have dtype, shape and two data_offsets"),
                Arguments.of(
                        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,8]}}",
                        8,
                        "a.data_offsets: must have at most 2 items"),
                Arguments.of("{\"__metadata__\":{\"format\":7}}", 0, "__metadata__.format = 7: must be a string"),
                Arguments.of(
                        "{\"__metadata__\":{\"format\":null}}", 0, "__metadata__.format = null: must be a string"));
    }

    @ParameterizedTest
    @MethodSource("wrongHeaders")
    void wrongHeadersAreRefusedByName(String header, int dataBytes, String message) throws IOException {
        TensorFile.write(file, header, dataBytes);
        assertRefused(message);
    }

    @Test
    void wrongLengthsAreRefused() throws IOException {
        Files.write(file, new byte[7]);
        assertRefused("size = 7: is too short for a header length of 8 bytes");
        TensorFile.write(file, 100_000_001, NOTHING, NOTHING);
        assertRefused("header length = 100000001: must be at most 100000000");
        TensorFile.write(file, -1, NOTHING, NOTHING);
        assertRefused("header length = 18446744073709551615: must be at most 100000000");
        TensorFile.write(file, 3, new byte[] {'{', '}'}, NOTHING);
        assertRefused("header length = 3: is beyond the file's 10 bytes");
        Files.writeString(file, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
        assertRefused("is a pointer of Git LFS, not the file itself ('git lfs pull')");
    }

    @Test
    void headersThatAreNotUtf8AreRefused() throws IOException {
        TensorFile.write(file, new byte[] {'{', '"', (byte) 0xC3, '"', ':', '1', '}'}, NOTHING);
        assertRefused("header: is not valid UTF-8");
    }

    @Test
    void typesThatKernelsDoNotKnowAreRefusedWhenAskedFor() throws IOException {
        TensorFile.write(file, "{%s}".formatted(entry("mask", "BOOL", "[4]", 0, 4)), 4);
        try (var weights = SafetensorsFolder.open(folder)) {
            assertThatThrownBy(() -> weights.tensor("mask"))
                    .hasMessage(file + ": mask.dtype = BOOL: cannot be computed from; F32, F16, BF16 can");
            assertThatThrownBy(() -> weights.tensor("other")).hasMessage(file + ": other: no such tensor");
        }
    }

    private void assertRefused(String message) {
        assertThatThrownBy(() -> SafetensorsFolder.open(folder))
                .isInstanceOf(ModelFileException.class)
                .hasMessage(file + ": " + message);
    }
}
