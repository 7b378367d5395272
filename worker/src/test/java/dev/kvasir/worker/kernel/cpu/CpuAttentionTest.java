package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.AttentionShape;
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
                var dtype = blockSize == 1 ? DType.F32 : blockSize == 16 ? DType.F16 : DType.BF16;
                check(new AttentionShape(4, 2, headSize, 0.2f, 0, 0), headSize, blockSize, dtype);
            }
        }
    }

    @Test
    void groupsOfHeadsAgree() {
        for (int group : new int[] {1, 3, 5, 7, 8, 16, 71}) {
            check(new AttentionShape(2 * group, 2, 32, 0.2f, 0, 0), 32, 16, DType.BF16);
        }
    }

    @Test
    void windowsAndSoftcapsAgree() {
        for (int window : new int[] {0, 1, 2, 31, 64, 65, 100}) {
            for (float softcap : new float[] {0, 1.5f, 50}) {
                check(new AttentionShape(6, 2, 20, 0.3f, window, softcap), 20, 8, DType.F32);
            }
        }
    }

    @Test
    void valuesMayBeOfAnotherSizeThanKeys() {
        check(new AttentionShape(4, 1, 48, 0.2f, 0, 0), 33, 16, DType.F16);
        check(new AttentionShape(4, 1, 33, 0.2f, 0, 0), 48, 16, DType.BF16);
    }

    private void check(AttentionShape shape, int valueSize, int blockSize, DType dtype) {
        try (var pair = new KernelPair(TestKernels.deterministic(2))) {
            new AttentionAgreement(pair, random).check(shape, valueSize, blockSize, dtype, MIXED, TOLERANCE);
        }
    }
}
