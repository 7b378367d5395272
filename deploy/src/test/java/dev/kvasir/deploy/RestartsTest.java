package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class RestartsTest {
    private static final long MINUTE = Duration.ofMinutes(1).toNanos();

    @Test
    void soManyInAnyHourAndNoMore() {
        var restarts = new Restarts(2, "");
        assertThat(restarts.mayStart(0)).isTrue();
        assertThat(restarts.mayStart(30 * MINUTE)).isTrue();
        assertThat(restarts.mayStart(59 * MINUTE)).isFalse();
        assertThat(restarts.mayStart(60 * MINUTE)).isTrue();
        assertThat(restarts.mayStart(89 * MINUTE)).isFalse();
        assertThat(restarts.mayStart(90 * MINUTE)).isTrue();
    }

    @Test
    void noneWhereNoneAreAllowed() {
        assertThat(new Restarts(0, "").mayStart(0)).isFalse();
    }

    @Test
    void whatOneProcessTellsTheNextCountsThere() {
        var before = new Restarts(2, "");
        assertThat(before).hasToString("");
        before.mayStart(-5);
        before.mayStart(30 * MINUTE);

        var after = new Restarts(2, before.toString());
        assertThat(after.mayStart(59 * MINUTE)).isFalse();
        assertThat(after.mayStart(60 * MINUTE)).isTrue();
    }
}
