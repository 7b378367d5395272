package dev.kvasir.kvstore.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class LastingTotalTest {
    private final LastingTotal<AtomicLong> total = new LastingTotal<>(AtomicLong::get);

    @Test
    void whatThoseThatWentHadCountedStays() {
        var first = new AtomicLong(3);
        var second = new AtomicLong(4);
        assertThat(total.of(List.of(first, second))).isEqualTo(7);
        first.set(5);
        assertThat(total.of(List.of(first, second))).isEqualTo(9);
        assertThat(total.of(List.of(second))).isEqualTo(9);
        second.set(6);
        assertThat(total.of(List.of(second, new AtomicLong(1)))).isEqualTo(12);
        assertThat(total.of(List.of())).isEqualTo(12);
    }

    @Test
    void equalOnesAreDifferentOnes() {
        var total = new LastingTotal<String>(String::length);
        assertThat(total.of(List.of("ab"))).isEqualTo(2);
        assertThat(total.of(List.of(String.valueOf(new char[] {'a', 'b'})))).isEqualTo(4);
    }
}
