package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class ComparisonTest {
    private static double[] samples(double center, double spread, int count, long seed) {
        var random = new SplittableRandom(seed);
        var values = new double[count];
        Arrays.setAll(values, _ -> center * Math.exp(spread * random.nextGaussian()));
        return values;
    }

    @Test
    void aRealDifferenceIsShownWithItsRatio() {
        var ratio = Comparison.bootstrap("TTFT", samples(100, 0.2, 200, 1), samples(50, 0.2, 200, 2), false, 0);
        assertThat(ratio.ratio()).isCloseTo(0.5, within(0.05));
        assertThat(ratio.low()).isLessThan(ratio.ratio());
        assertThat(ratio.high()).isGreaterThan(ratio.ratio()).isLessThan(0.6);
        assertThat(ratio.differs()).isTrue();
    }

    @Test
    void theSameRunTwiceDoesNotDiffer() {
        var values = samples(100, 0.5, 100, 3);
        var ratio = Comparison.bootstrap("TTFT", values, values, false, 0);
        assertThat(ratio.ratio()).isEqualTo(1);
        assertThat(ratio.differs()).isFalse();
    }

    @Test
    void pairsTakeTheSpreadBetweenQuestionsOut() {
        var a = samples(100, 1, 100, 4);
        var b = Arrays.stream(a).map(value -> value * 1.05).toArray();
        var paired = Comparison.bootstrap("E2E", a, b, true, 0);
        assertThat(paired.low()).isCloseTo(1.05, within(1e-9));
        assertThat(paired.high()).isCloseTo(1.05, within(1e-9));
        assertThat(Comparison.bootstrap("E2E", a, b, false, 0).differs()).isFalse();
    }

    @Test
    void theIntervalCoversTheTruthAboutAsOftenAsItSays() {
        int covered = 0;
        for (int seed = 0; seed < 100; seed++) {
            var ratio = Comparison.bootstrap(
                    "TTFT", samples(100, 0.3, 60, 2L * seed), samples(120, 0.3, 60, 2L * seed + 1), false, seed);
            covered += ratio.low() <= 1.2 && 1.2 <= ratio.high() ? 1 : 0;
        }
        assertThat(covered).isBetween(88, 100);
    }
}
