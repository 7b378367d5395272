package dev.kvasir.worker.schedule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import org.junit.jupiter.api.Test;

class ForecastTest {
    private static final long MILLI = 1_000_000;

    private final Forecast forecast = new Forecast();
    private long now;

    private void steps(int count, int startEvery, long stepMillis, boolean waiting) {
        for (int i = 1; i <= count; i++) {
            now += stepMillis * MILLI;
            forecast.stepped(i % startEvery == 0 ? 1 : 0, waiting, now);
        }
    }

    @Test
    void theWaitIsTheQueueOverTheRateAtWhichItDrains() {
        assertThat(forecast.waitNanos(10)).isEqualTo(Forecast.UNKNOWN);
        steps(500, 5, 10, true);
        assertThat(forecast.waitNanos(10)).isCloseTo(500 * MILLI, withinPercentage(2));
        assertThat(forecast.waitNanos(20)).isCloseTo(1_000 * MILLI, withinPercentage(2));
    }

    @Test
    void timeWithoutAQueueDoesNotCount() {
        steps(500, 5, 10, true);
        steps(1, 5, 10, false);
        steps(10, 1, 60_000, false);
        assertThat(forecast.waitNanos(10)).isCloseTo(500 * MILLI, withinPercentage(2));
    }

    @Test
    void aNewRateIsLearntWithinHalfAMinute() {
        steps(5_000, 5, 10, true);
        steps(3_000, 50, 10, true);
        assertThat(forecast.waitNanos(1)).isCloseTo(500 * MILLI, withinPercentage(50));
    }

    @Test
    void aRunTakesItsTokensTimesWhatTokensTook() {
        assertThat(forecast.runNanos(100)).isZero();
        for (int i = 0; i < 100; i++) {
            forecast.ran(400 * MILLI, 40);
        }
        assertThat(forecast.runNanos(10)).isEqualTo(100 * MILLI);
        assertThat(forecast.runNanos(1_000)).as("few ever use all they may").isEqualTo(800 * MILLI);
    }
}
