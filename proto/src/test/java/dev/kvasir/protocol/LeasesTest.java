package dev.kvasir.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class LeasesTest {
    private static final long LEASE = 1000;

    @Test
    void whoIsSilentForALeaseIsLostOnceAndComesBackWhenHeard() {
        var leases = new Leases<String>(LEASE, 0);
        assertThat(leases.heard("a", 0)).isFalse();
        for (long now = 250; now <= 1000; now += 250) {
            assertThat(leases.look(now)).isEmpty();
        }
        assertThat(leases.look(1250)).containsExactly("a");
        assertThat(leases.holds("a")).isFalse();
        assertThat(leases.look(1500)).isEmpty();
        assertThat(leases.heard("a", 1600)).isTrue();
        assertThat(leases.holds("a")).isTrue();
    }

    @Test
    void aPauseOfOurOwnIsNobodysLoss() {
        var leases = new Leases<String>(LEASE, 0);
        leases.heard("a", 0);
        leases.look(250);
        assertThat(leases.look(60_250)).isEmpty();
        assertThat(leases.look(60_500)).isEmpty();
        assertThat(leases.look(60_750)).isEmpty();
        assertThat(leases.look(61_010)).containsExactly("a");
    }

    @Test
    void nobodyHeardOftenEnoughIsEverLost() {
        LongStream.range(0, 200).forEach(seed -> {
            var random = new Random(seed);
            var leases = new Leases<Integer>(LEASE, 0);
            var lost = new HashSet<Integer>();
            long heard = 0;
            leases.heard(1, 0);
            leases.heard(2, 0);
            for (long now = 0; now < 20_000; now += random.nextInt(1, 400)) {
                if (now - heard > 300) {
                    leases.heard(1, now);
                    heard = now;
                }
                lost.addAll(leases.look(now));
            }
            assertThat(lost).as("seed %d", seed).containsExactly(2);
        });
    }
}
