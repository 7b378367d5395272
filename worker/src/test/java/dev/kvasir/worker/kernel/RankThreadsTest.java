package dev.kvasir.worker.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class RankThreadsTest {
    @Test
    void everyRankRunsEveryTaskOnceOnItsOwnThread() {
        try (var threads = new RankThreads(3, "rank", Duration.ofNanos(10_000))) {
            var counts = new AtomicIntegerArray(3);
            var names = new String[3];
            for (int i = 0; i < 2_000; i++) {
                threads.each(rank -> {
                    counts.incrementAndGet(rank);
                    names[rank] = Thread.currentThread().getName();
                });
                for (int rank = 0; rank < 3; rank++) {
                    assertThat(counts.get(rank)).isEqualTo(i + 1);
                }
            }
            assertThat(Arrays.asList(names))
                    .containsExactly(Thread.currentThread().getName(), "rank-1", "rank-2");
        }
    }

    @Test
    void aFailureIsThrownWhenAllHaveReturnedAndTheNextTaskRuns() {
        try (var threads = new RankThreads(4, "rank", Duration.ZERO)) {
            var ran = new AtomicIntegerArray(4);
            assertThatThrownBy(() -> threads.each(rank -> {
                        ran.incrementAndGet(rank);
                        if (rank == 2) {
                            throw new IllegalArgumentException("rank 2 cannot");
                        }
                    }))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("rank 2 cannot");
            threads.each(ran::incrementAndGet);
            for (int rank = 0; rank < 4; rank++) {
                assertThat(ran.get(rank)).isEqualTo(2);
            }
        }
    }
}
