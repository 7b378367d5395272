package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class DrainRateTest {
    private final DrainRate drainRate = new DrainRate();

    @Test
    void theHintIsPlacesOverTheRateAtWhichRequestsEnd() {
        long now = 0;
        assertThat(drainRate.millisFor(8, now, 1_234)).as("nothing is known").isEqualTo(1_234);
        for (int i = 0; i < 1_000; i++) {
            now += 50_000_000;
            drainRate.ended(now);
        }
        assertThat(drainRate.millisFor(8, now, 1_234)).isCloseTo(400, within(10L));
        assertThat(drainRate.millisFor(1, now, 1_234)).as("no storm of clients").isEqualTo(100);
        assertThat(drainRate.millisFor(64_000, now, 1_234)).isEqualTo(30_000);
        assertThat(drainRate.millisFor(8, now + 60_000_000_000L, 1_234))
                .as("long ago")
                .isEqualTo(1_234);
    }
}
