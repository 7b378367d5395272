package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import org.junit.jupiter.api.Test;

class PhiloxTest {
    /** The known answers published with the paper's reference implementation. */
    @Test
    void givesTheKnownAnswers() {
        assertThat(block(0, 0, 0, 0, 0, 0)).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertThat(block(-1, -1, -1, -1, -1, -1)).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertThat(block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    @Test
    void uniformsAreInTheUnitIntervalAndEvenlySpread() {
        var tenths = new int[10];
        for (int position = 0; position < 100_000; position++) {
            double uniform = Philox.uniform(42, 3, position, new int[4]);
            assertThat(uniform).isGreaterThanOrEqualTo(0).isLessThan(1);
            tenths[(int) (uniform * 10)]++;
        }
        double chiSquare = 0;
        for (int count : tenths) {
            chiSquare += (count - 10_000.0) * (count - 10_000.0) / 10_000;
        }
        assertThat(chiSquare).isLessThan(27.9); // 9 degrees of freedom, one chance in a thousand.
    }

    @Test
    void seedOutputAndPositionEachMakeAnotherNumber() {
        var seen = new HashSet<Double>();
        for (long seed : new long[] {0, 1, 1L << 32, -1, Long.MIN_VALUE}) {
            for (int output = 0; output < 16; output++) {
                for (int position = 0; position < 100; position++) {
                    seen.add(Philox.uniform(seed, output, position, new int[4]));
                }
            }
        }
        assertThat(seen).hasSize(5 * 16 * 100);
    }

    private static int[] block(int c0, int c1, int c2, int c3, int k0, int k1) {
        var counter = new int[] {c0, c1, c2, c3};
        Philox.block(counter, k0, k1);
        return counter;
    }
}
