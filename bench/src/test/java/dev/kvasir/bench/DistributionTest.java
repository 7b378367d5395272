package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class DistributionTest {
    @Test
    void percentilesAreThoseOfNumPy() {
        // numpy.percentile([15, 20, 35, 40, 50], [0, 40, 50, 90, 95, 100])
        var values = Distribution.of(50, 15, 40, 20, 35);
        assertThat(values.percentile(0)).isEqualTo(15);
        assertThat(values.percentile(40)).isCloseTo(29, within(1e-12));
        assertThat(values.median()).isEqualTo(35);
        assertThat(values.percentile(90)).isCloseTo(46, within(1e-12));
        assertThat(values.percentile(95)).isCloseTo(48, within(1e-12));
        assertThat(values.max()).isEqualTo(50);
        assertThat(values.mean()).isEqualTo(32);
    }

    @Test
    void oneSampleIsEveryPercentile() {
        var values = Distribution.of(7);
        assertThat(values.percentile(1)).isEqualTo(7);
        assertThat(values.percentile(99)).isEqualTo(7);
    }

    @Test
    void noSamplesGiveNoFigures() {
        assertThat(Distribution.of().median()).isNaN();
        assertThat(Distribution.of().mean()).isNaN();
    }

    @Test
    void percentilesOutsideTheRangeAreRefused() {
        assertThatThrownBy(() -> Distribution.of(1).percentile(101)).hasMessageContaining("101");
        assertThatThrownBy(() -> Distribution.of(1).percentile(Double.NaN)).hasMessageContaining("NaN");
    }
}
