package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class AxisTest {
    @Test
    void linearTicksAreRoundAndCoverTheValues() {
        assertThat(Axis.fromZero(873)).isEqualTo(new Axis(0, 1000, false));
        assertThat(Axis.fromZero(873).ticks()).containsExactly(0.0, 200.0, 400.0, 600.0, 800.0, 1000.0);
        assertThat(Axis.fromZero(0).max()).isEqualTo(1);
    }

    @Test
    void aLongTailIsDrawnLogarithmically() {
        var axis = Axis.forLatencies(Distribution.of(1, 2, 2, 3, 900));
        assertThat(axis.logarithmic()).isTrue();
        assertThat(axis.position(1)).isZero();
        assertThat(axis.position(900)).isEqualTo(1);
        assertThat(axis.ticks()).contains(1.0, 10.0, 100.0);
        assertThat(Axis.forLatencies(Distribution.of(1, 2, 3)).logarithmic()).isFalse();
    }
}
