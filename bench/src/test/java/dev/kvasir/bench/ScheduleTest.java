package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class ScheduleTest {
    private static double[] gapsSeconds(double rate, double burstiness, long seed) {
        var times = new Schedule.Open(rate, burstiness, 10).sendTimes(20_000, new SplittableRandom(seed));
        assertThat(times[0]).isZero();
        return IntStream.range(1, times.length)
                .mapToDouble(i -> (times[i] - times[i - 1]) / 1e9)
                .toArray();
    }

    @Test
    void gapsHaveTheAskedMeanAndSpread() {
        for (double burstiness : new double[] {0.3, 1, 4}) {
            var gaps = gapsSeconds(5, burstiness, 42);
            double mean = Arrays.stream(gaps).average().orElseThrow();
            double variance = Arrays.stream(gaps)
                    .map(gap -> (gap - mean) * (gap - mean))
                    .average()
                    .orElseThrow();
            assertThat(mean).isCloseTo(0.2, within(0.01));
            assertThat(variance / (mean * mean)).isCloseTo(1 / burstiness, within(0.15 / burstiness));
        }
    }

    @Test
    void theSameSeedSendsAtTheSameTimes() {
        assertThat(gapsSeconds(5, 1, 7)).isEqualTo(gapsSeconds(5, 1, 7)).isNotEqualTo(gapsSeconds(5, 1, 8));
    }

    @Test
    void anInfiniteRateSendsAllAtOnce() {
        assertThat(new Schedule.Open(Double.POSITIVE_INFINITY, 1, 10).sendTimes(5, new SplittableRandom(1)))
                .containsOnly(0);
    }

    @Test
    void nonsenseIsRefused() {
        assertThatThrownBy(() -> new Schedule.Open(0, 1, 1)).hasMessageContaining("request rate");
        assertThatThrownBy(() -> new Schedule.Open(1, 0, 1)).hasMessageContaining("burstiness");
        assertThatThrownBy(() -> new Schedule.Closed(0)).hasMessageContaining("concurrency");
    }
}
