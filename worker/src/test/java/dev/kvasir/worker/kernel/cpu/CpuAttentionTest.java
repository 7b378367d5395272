package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class CpuAttentionTest {
    /**
     * Both sides read the same rounded keys and values. What remains is float arithmetic: scores of size ten are exact to
     * 1e-6 of that, capped ones to 3e-7 of the cap, and a weight is as exact relatively as its score absolutely.
     */
    private static final double TOLERANCE = 3e-5;

    private static final int[][] MIXED = {{0, 1}, {0, 17}, {63, 64}, {64, 65}, {31, 100}, {127, 131}, {5, 5}};

    private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 5));

    @Test
    void headSizesAndBlockSizesAgree() {
        for (int headSize : new int[] {1, 20, 24, 64, 80, 96, 128, 256}) {
            for (int blockSize : new int[] {1, 8, 16, 32}) {
                var format = blockSize == 1 ? KvFormat.F32 : blockSize == 16 ? KvFormat.F16 : KvFormat.BF16;
                check(new AttentionShape(4, 2, headSize, 0.2f, 0, 0), headSize, blockSize, format);
            }
        }
    }

    @Test
    void scaledRowsAgree() {
        for (int headSize : new int[] {1, 3, 20, 64, 80, 128}) {
            check(new AttentionShape(4, 2, headSize, 0.2f, 0, 0), headSize, headSize == 3 ? 1 : 16, KvFormat.FP8);
        }
        check(new AttentionShape(4, 1, 48, 0.2f, 31, 1.5f), 33, 8, KvFormat.FP8);
    }

    @Test
    void groupsOfHeadsAgree() {
        for (int group : new int[] {1, 3, 5, 7, 8, 16, 71}) {
            check(new AttentionShape(2 * group, 2, 32, 0.2f, 0, 0), 32, 16, KvFormat.BF16);
        }
    }

    @Test
    void windowsAndSoftcapsAgree() {
        for (int window : new int[] {0, 1, 2, 31, 64, 65, 100}) {
            for (float softcap : new float[] {0, 1.5f, 50}) {
                check(new AttentionShape(6, 2, 20, 0.3f, window, softcap), 20, 8, KvFormat.F32);
            }
        }
    }

    @Test
    void valuesMayBeOfAnotherSizeThanKeys() {
        check(new AttentionShape(4, 1, 48, 0.2f, 0, 0), 33, 16, KvFormat.F16);
        check(new AttentionShape(4, 1, 33, 0.2f, 0, 0), 48, 16, KvFormat.BF16);
    }

    private void check(AttentionShape shape, int valueSize, int blockSize, KvFormat format) {
        try (var pair = new KernelPair(TestKernels.deterministic(2))) {
            new AttentionAgreement(pair, random).check(shape, valueSize, blockSize, format, MIXED, TOLERANCE);
        }
    }
}
