package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SoftmaxWeightsTest {
    @Test
    void vectorsAndScalarsGiveTheSameBits() {
        var random = new Random(3);
        var logits = new float[1003];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = -Math.abs((float) random.nextGaussian() * 40);
        }
        logits[5] = Float.NEGATIVE_INFINITY;
        var weights = new float[logits.length];
        SoftmaxWeights.compute(logits, logits.length, 0, 1.3f, weights);
        for (int i = 0; i < logits.length; i++) {
            assertThat(Float.floatToRawIntBits(SoftmaxWeights.weight(logits[i], 0, 1.3f)))
                    .isEqualTo(Float.floatToRawIntBits(weights[i]));
        }
        assertThat(weights[5]).isZero();
    }

    @Test
    void theRelativeErrorIsSmall() {
        double worst = 0;
        for (float x = 0; x > -87; x -= 0.00137f) {
            worst = Math.max(worst, Math.abs(SoftmaxWeights.weight(x, 0, 1) / Math.exp(x) - 1));
        }
        assertThat(worst).isLessThan(2e-7);
        assertThat(SoftmaxWeights.weight(4, 4, 1)).isEqualTo(1);
    }
}
