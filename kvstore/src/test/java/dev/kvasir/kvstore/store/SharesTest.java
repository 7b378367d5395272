package dev.kvasir.kvstore.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class SharesTest {
    private static final long IDLE = Shares.IDLE_NANOS;

    @Test
    void theOnlyPoolHasEverything() {
        assertThat(Shares.of(1000, List.of(0L))).containsExactly(1000);
        assertThat(Shares.of(1000, List.of(IDLE))).containsExactly(1000);
    }

    @Test
    void poolsInUseHaveTheSameAndIdleOnesLess() {
        assertThat(Shares.of(1000, List.of(0L, 1L))).containsExactly(500, 500);
        assertThat(Shares.of(900, List.of(IDLE, 0L))).containsExactly(100, 800);
        assertThat(Shares.of(900, List.of(IDLE, IDLE))).containsExactly(450, 450);
    }

    @Test
    void togetherTheyHaveNoMoreThanThereIs() {
        for (long all : new long[] {0, 1, 17, 999, 1L << 46}) {
            assertThat(Shares.of(all, List.of(0L, IDLE, 5L)))
                    .satisfies(
                            parts -> assertThat(parts[0] + parts[1] + parts[2]).isLessThanOrEqualTo(all));
        }
    }
}
