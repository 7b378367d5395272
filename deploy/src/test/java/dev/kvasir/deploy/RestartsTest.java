package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class RestartsTest {
    private static final long MINUTE = Duration.ofMinutes(1).toNanos();

    @Test
    void soManyInAnyHourAndNoMore() {
        var restarts = new Restarts(2);
        assertThat(restarts.mayStart(0)).isTrue();
        assertThat(restarts.mayStart(30 * MINUTE)).isTrue();
        assertThat(restarts.mayStart(59 * MINUTE)).isFalse();
        assertThat(restarts.mayStart(60 * MINUTE)).isTrue();
        assertThat(restarts.mayStart(89 * MINUTE)).isFalse();
        assertThat(restarts.mayStart(90 * MINUTE)).isTrue();
    }

    @Test
    void noneWhereNoneAreAllowed() {
        assertThat(new Restarts(0).mayStart(0)).isFalse();
    }
}
