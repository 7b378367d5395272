package dev.kvasir.model.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FiniteCheckTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource
    void findsTheFirstElementThatIsNotFiniteAndNoOther(DType type) {
        long seed = Long.getLong("seed", 1);
        var random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            try (var arena = Arena.ofConfined()) {
                int count = 1 + random.nextInt(40);
                var data = arena.allocate((long) count * type.bytes());
                long expected = -1;
                for (int i = 0; i < count; i++) {
                    boolean finite = random.nextInt(30) != 0;
                    int bits = bits(type, random, finite);
                    expected = !finite && expected < 0 ? i : expected;
                    if (type.bytes() == 4) {
                        data.setAtIndex(ValueLayout.JAVA_INT, i, bits);
                    } else {
                        data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) bits);
                    }
                }
                assertThat(FiniteCheck.firstNotFinite(type, data))
                        .as("seed %d, round %d", seed, round)
                        .isEqualTo(expected);
            }
        }
    }

    /** Any bits, the exponent set or cleared of one bit as asked. */
    private static int bits(DType type, Random random, boolean finite) {
        int exponent = switch (type) {
            case F32 -> 0x7F80_0000;
            case F16 -> 0x7C00;
            case BF16 -> 0x7F80;
        };
        int any = random.nextInt() | exponent;
        return finite ? any & ~Integer.lowestOneBit(exponent) : any;
    }

    @Test
    void aModelWithNotANumberIsRefusedByTensorAndElement() throws IOException {
        var file = folder.resolve("model.safetensors");
        var data = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putFloat(1)
                .putFloat(Float.NaN);
        var header = "{%s}".formatted(TensorFile.entry("w", "F32", "[2]", 0, 8));
        TensorFile.write(file, header.getBytes(StandardCharsets.UTF_8), data.array());
        try (var weights = SafetensorsFolder.open(folder)) {
            assertThatThrownBy(() -> weights.readAll(true, LoadProgress.NONE))
                    .hasMessage(file + ": w = element 1: is not finite");
            var read = new AtomicLong();
            weights.readAll(false, (bytes, _) -> read.set(bytes));
            assertThat(read).hasValue(8);
        }
    }
}
