package dev.kvasir.worker.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvFormat;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Which attention kernel serves which shape, and that what launchers say of kernels is how these are compiled. */
class AttentionKernelsTest {
    private static final Pattern INSTANCE = Pattern.compile(
            "ATTEND_DECODE\\(PREFIX##_(\\d+)_(\\d+), ROWS\\(TYPE, (\\d+)\\), (\\d+), (\\d+), (\\d+)\\)");
    private static final Pattern INCLUDE = Pattern.compile("#include \"(.*)\"");
    private static final int AMPERE = 80;
    private static final int ADA = 89;
    private static final int HOPPER = 90;
    private static final int BLACKWELL = 100;

    private static String text(String name) {
        return new String(KernelLibrary.required(name), StandardCharsets.UTF_8);
    }

    @Test
    void launchersKnowHowDecodeKernelsAreCompiled() {
        for (boolean scaled : new boolean[] {false, true}) {
            var parts = text(scaled ? "AttendDecodeFp8.cu" : "AttendDecode.cu").split("#else", 2);
            assertThat(parts[0]).contains("__CUDA_ARCH__ >= 900");
            assertThat(instances(scaled, parts[0]))
                    .hasSize(9)
                    .isEqualTo(DecodeKernel.NEWER.stream()
                            .filter(kernel -> kernel.scaled() == scaled)
                            .toList());
            assertThat(instances(scaled, parts[1]))
                    .isEqualTo(DecodeKernel.OLDER.stream()
                            .filter(kernel -> kernel.scaled() == scaled)
                            .toList());
        }
    }

    private static List<DecodeKernel> instances(boolean scaled, String source) {
        var found = new ArrayList<DecodeKernel>();
        var matcher = INSTANCE.matcher(source);
        while (matcher.find()) {
            int[] n = new int[7];
            for (int i = 1; i < n.length; i++) {
                n[i] = Integer.parseInt(matcher.group(i));
            }
            assertThat(n[3]).isEqualTo(n[1]);
            assertThat(n[4]).isEqualTo(n[2]);
            found.add(new DecodeKernel(scaled, n[1], n[2], n[5], n[6]));
        }
        return found;
    }

    @Test
    void everySourceAndHeaderIsListedForTheCompilerAtStart() {
        for (var source : KernelLibrary.SOURCES) {
            assertThat(KernelLibrary.HEADERS).as(source).containsAll(includes(source + ".cu"));
        }
        for (var header : KernelLibrary.HEADERS) {
            assertThat(KernelLibrary.HEADERS).as(header).containsAll(includes(header));
        }
    }

    private static List<String> includes(String name) {
        return INCLUDE.matcher(text(name))
                .results()
                .map(result -> result.group(1))
                .toList();
    }

    private static AttentionShape shape(int heads, int kvHeads, int headSize) {
        return new AttentionShape(heads, kvHeads, headSize, 0.1f, 0, 0);
    }

    private static DecodeKernel decode(AttentionShape shape, KvFormat format, int capability) {
        return Objects.requireNonNull(DecodeKernel.find(shape, format, capability));
    }

    @Test
    void theFewestColumnsThatTakeAGroupAreChosen() {
        for (var format : new KvFormat[] {KvFormat.BF16, KvFormat.FP8}) {
            assertThat(decode(shape(32, 8, 128), format, HOPPER).columns()).isEqualTo(4);
            assertThat(decode(shape(8, 8, 128), format, HOPPER).columns()).isEqualTo(4);
            assertThat(decode(shape(28, 4, 128), format, HOPPER).columns()).isEqualTo(8);
            assertThat(decode(shape(71, 1, 64), format, HOPPER).columns()).isEqualTo(16);
            assertThat(decode(shape(71, 1, 64), format, HOPPER).chunks(shape(71, 1, 64)))
                    .isEqualTo(5);
            assertThat(DecodeKernel.find(shape(4, 2, 20), format, HOPPER)).isNull();
            assertThat(DecodeKernel.find(shape(4, 2, 112), format, AMPERE)).isNull();
        }
    }

    @Test
    void namesAreThoseOfTheSources() {
        var decode = decode(shape(32, 8, 128), KvFormat.FP8, HOPPER);
        assertThat(decode.source()).isEqualTo("AttendDecodeFp8");
        assertThat(decode.name(DType.BF16)).isEqualTo("attend_decode_fp8_bf16_128_4");
        assertThat(decode(shape(4, 2, 64), KvFormat.F16, ADA).name(DType.F16)).isEqualTo("attend_decode_f16_64_8");
        assertThat(prefill(KvFormat.BF16, HOPPER).name(DType.BF16, false)).isEqualTo("attend_prefill_wgmma_bf16_128");
        assertThat(prefill(KvFormat.BF16, BLACKWELL).name(DType.BF16, false)).isEqualTo("attend_prefill_bf16_128");
        assertThat(prefill(KvFormat.FP8, HOPPER).name(DType.BF16, false))
                .isEqualTo("attend_prefill_wgmma_fp8_bf16_128");
        assertThat(prefill(KvFormat.FP8, BLACKWELL).name(DType.F16, true))
                .isEqualTo("attend_prefill_fp8_f16_128_split");
        for (var format : new KvFormat[] {KvFormat.BF16, KvFormat.FP8}) {
            for (int capability : new int[] {AMPERE, HOPPER}) {
                var kernel = prefill(format, capability);
                assertThat(text(kernel.source() + ".cu"))
                        .contains("(" + kernel.name(DType.BF16, false).replace("_128", "") + ", Bf16)");
            }
        }
    }

    private static PrefillKernel prefill(KvFormat format, int capability) {
        return Objects.requireNonNull(PrefillKernel.find(shape(32, 8, 128), format, capability));
    }

    @Test
    void keysOfFewRowsAreSharedOutOverTheDevice() {
        // One row tile of 8 KV heads that sees 4,096 keys, 132 multiprocessors.
        assertThat(KeySplit.of(8, 32, 1, 132)).isEqualTo(new KeySplit(16, 2));
        assertThat(KeySplit.of(4, 32, 1, 132)).isEqualTo(new KeySplit(32, 1));
        assertThat(KeySplit.of(8, 33, 1, 132)).isEqualTo(new KeySplit(11, 3));
        assertThat(KeySplit.of(64, 32, 1, 132)).isEqualTo(new KeySplit(2, 16));
        // Many rows, or few keys.
        assertThat(KeySplit.of(128, 32, 1, 132).parts()).isEqualTo(1);
        assertThat(KeySplit.of(8, 3, 1, 132).parts()).isEqualTo(1);
        assertThat(KeySplit.of(8, 8, 2, 132)).isEqualTo(new KeySplit(4, 2));
        for (int units = 1; units < 140; units++) {
            for (int keyTiles = 1; keyTiles < 300; keyTiles++) {
                var split = KeySplit.of(units, keyTiles, 2, 132);
                assertThat(split.parts() * split.tiles()).isGreaterThanOrEqualTo(keyTiles);
                assertThat(split.parts() == 1 || units * split.parts() <= 132).isTrue();
            }
        }
    }

    @Test
    void aRowTileSeesItsWindowAndNoMore() {
        var kernel = prefill(KvFormat.BF16, HOPPER);
        assertThat(kernel.keyTilesMax(4096, 4, 0)).isEqualTo(32);
        assertThat(kernel.keyTilesMax(4097, 4, 0)).isEqualTo(33);
        assertThat(kernel.keyTilesMax(100_000, 4, 1024)).isEqualTo(10);
        assertThat(kernel.partBytes() * 132).isLessThan(AttendDecode.PARTIAL_BYTES);
    }

    /** What a block can have: 99 KiB on the smaller GPUs of compute capability 8, 227 on Hopper. */
    @Test
    void sharedMemoryIsThatOfTheGpusThatKernelsAreFor() {
        for (int headSize : new int[] {64, 80, 96, 128, 256}) {
            for (var format : new KvFormat[] {KvFormat.BF16, KvFormat.FP8}) {
                for (int group : new int[] {1, 8, 16}) {
                    var shape = shape(group, 1, headSize);
                    assertThat(decode(shape, format, AMPERE).sharedBytes(256)).isLessThanOrEqualTo(99 << 10);
                    assertThat(decode(shape, format, HOPPER).sharedBytes(1024)).isLessThanOrEqualTo(227 << 10);
                }
                var shape = shape(4, 1, headSize);
                assertThat(Objects.requireNonNull(PrefillKernel.find(shape, format, AMPERE))
                                .sharedBytes())
                        .isLessThanOrEqualTo(99 << 10);
                assertThat(Objects.requireNonNull(PrefillKernel.find(shape, format, HOPPER))
                                .sharedBytes())
                        .isLessThanOrEqualTo(227 << 10);
            }
        }
        // As the sources count: rows of eight chunks are swizzled, others padded to an odd number of them.
        assertThat(decode(shape(4, 1, 128), KvFormat.FP8, HOPPER).sharedBytes(0))
                .isEqualTo(8 * 5 * (32 * 128 + 64) + 8 * 4 * (132 * 4 + 8) + 4);
        assertThat(decode(shape(4, 1, 96), KvFormat.FP8, AMPERE).sharedBytes(0))
                .isEqualTo(4 * 4 * (32 * 112 + 64) + 4 * 8 * (100 * 4 + 8) + 4);
    }
}
