package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.kernel.Draws;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DrawListTest {
    private static final int VOCABULARY = 50;

    private final DrawList list = new DrawList();
    private final Draws draws = new Draws(2, 6);

    private static SamplingParameters parameters() {
        return new SamplingParameters(
                9, 2, 0.5f, 0.9f, 7, 0.1f, 1.5f, 0.25f, 0.75f, Map.of(30, 2f), Set.of(4), false, 77, 1, -1, -1);
    }

    private static SamplingState state() {
        var state = new SamplingState(parameters(), 0, new int[] {11, 12, 11}, VOCABULARY, new int[] {3});
        state.accept(12);
        return state;
    }

    @Test
    void aRequestHoldsParametersTheSamplersNumberAndItsListsInTheSamplersOrder() {
        assertThat(list.add(draws, 5, state(), 1)).isTrue();
        int[] words = draws.requests();
        assertThat(words[0]).isEqualTo(5);
        assertThat(Float.intBitsToFloat(words[1])).isEqualTo(2f);
        assertThat(words[2]).isEqualTo(7);
        assertThat(Float.intBitsToFloat(words[3])).isEqualTo(0.9f);
        assertThat(Float.intBitsToFloat(words[4])).isEqualTo(0.1f);
        assertThat(words[5]).as("greedy").isZero();
        long number = Integer.toUnsignedLong(words[7]) << 32 | Integer.toUnsignedLong(words[6]);
        assertThat(Double.longBitsToDouble(number)).isEqualTo(Philox.uniform(77, 0, 1, new int[4]));
        assertThat(Arrays.copyOfRange(words, 8, 12))
                .as("biases, ends, penalties, end")
                .containsExactly(0, 1, 3, 5);
        assertThat(Float.intBitsToFloat(words[12])).isEqualTo(1.5f);
        assertThat(Float.intBitsToFloat(words[13])).isEqualTo(0.75f);
        assertThat(Float.intBitsToFloat(words[14])).isEqualTo(0.25f);
        assertThat(Arrays.copyOf(draws.ids(), 5)).containsExactly(30, 3, 4, 11, 12);
        assertThat(Float.intBitsToFloat(draws.values()[0])).isEqualTo(2f);
        assertThat(Arrays.copyOfRange(draws.values(), 3, 5)).containsExactly(0, 1);
    }

    @Test
    void theListsOfTheNextRequestFollowThoseOfTheLast() {
        var plain = new SamplingState(SamplingParameters.greedy(4), 0, new int[] {1}, VOCABULARY, new int[] {3});
        assertThat(list.add(draws, 0, state(), 2)).isTrue();
        assertThat(list.add(draws, 1, plain, 0)).isTrue();
        assertThat(Arrays.copyOfRange(draws.requests(), 8, 12))
                .as("no ends at this position")
                .containsExactly(0, 1, 1, 3);
        assertThat(Arrays.copyOfRange(draws.requests(), Draws.WORDS + 8, Draws.WORDS + 12))
                .containsExactly(3, 3, 3, 3);
        assertThat(draws.requests()[Draws.WORDS + 5]).as("greedy").isEqualTo(1);
        assertThat(draws.count()).isEqualTo(2);
    }

    @Test
    void whatThereIsNoRoomForIsNotAdded() {
        assertThat(list.add(draws, 0, state(), 1)).isTrue();
        assertThat(list.add(draws, 1, state(), 1)).isFalse();
        assertThat(draws.count()).isEqualTo(1);
        assertThat(draws.entries()).isEqualTo(5);
    }
}
