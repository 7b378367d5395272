package dev.kvasir.worker.runner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.kernel.Scores;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ScoreListTest {
    private static final int[] TOKENS = {10, 11, 12, 13, 14, 15};
    private static final int VOCABULARY = 50;

    private final Scores scores = new Scores(4);

    private static SamplingState state(float temperature, int logprobs) {
        var parameters = new SamplingParameters(
                9, 0, temperature, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), false, 77, 1, logprobs, -1);
        return new SamplingState(parameters, 0, TOKENS, VOCABULARY, new int[0]);
    }

    /** Logit rows: 0 to 3 of a prompt, 4 greedy, none of a prompt's part, 5 drawn, 6 drawn by the host, 7 without scores. */
    private static Step step() {
        var step = new Step(5);
        var prompt = step.add();
        prompt.compute(TOKENS, 1, 6, new int[0]);
        prompt.score(2, 5, 7);
        prompt.choose(state(0, SamplingParameters.NO_LOGPROBS), 0);
        var greedy = step.add();
        greedy.compute(TOKENS, 3, 4, new int[0]);
        greedy.choose(state(0, 2), 1);
        step.add().compute(TOKENS, 0, 2, new int[0]);
        var drawn = step.add();
        drawn.compute(TOKENS, 3, 4, new int[0]);
        drawn.choose(state(1, 0), 1);
        drawn.drawnOnDevice();
        var byHost = step.add();
        byHost.compute(TOKENS, 3, 4, new int[0]);
        byHost.choose(state(1, 5), 1);
        return step;
    }

    private List<List<Integer>> filled(int from, int count) {
        ScoreList.fill(scores, step(), from, count);
        var all = new ArrayList<List<Integer>>();
        for (int i = 0; i < scores.count(); i++) {
            all.add(List.of(scores.row(i), scores.token(i), scores.topCount(i)));
        }
        return all;
    }

    @Test
    void promptTokensAndTokensThatTheDeviceChoosesAreScoredInTheOrderOfLogits() {
        assertThat(filled(0, 4)).containsExactly(List.of(0, 13, 7), List.of(1, 14, 7), List.of(2, 15, 7));
        assertThat(filled(4, 4)).containsExactly(List.of(0, Scores.CHOSEN, 2), List.of(1, Scores.CHOSEN, 0));
    }

    @Test
    void aPartOfTheLogitsHasItsOwnRows() {
        assertThat(filled(1, 1)).containsExactly(List.of(0, 14, 7));
        assertThat(filled(2, 3)).containsExactly(List.of(0, 15, 7), List.of(2, Scores.CHOSEN, 2));
        assertThat(filled(5, 1)).containsExactly(List.of(0, Scores.CHOSEN, 0));
        assertThat(filled(6, 1)).isEmpty();
    }

    @Test
    void aListHoldsRowsInOrderAndNoMoreThanThereIsRoomFor() {
        scores.add(1, 3, 20);
        assertThatThrownBy(() -> scores.add(1, 3, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> scores.add(2, 3, 21)).hasMessageContaining("21 likeliest");
        scores.addChosen(2, 0);
        scores.add(3, 0, 1);
        scores.add(4, 0, 1);
        assertThatThrownBy(() -> scores.add(5, 0, 1)).hasMessageContaining("4 of 4 rows");
        assertThat(scores.requests())
                .startsWith(1, 3, 20, 0, 2, Scores.CHOSEN, 0, 0, 3, 0, 1, 0)
                .hasSize(4 * Scores.WORDS);
        scores.clear();
        scores.add(0, 1, 1);
        assertThat(scores.count()).isEqualTo(1);
    }

    /** A reading of one row. */
    private record OneRow(float largest) implements Scores.Reading {
        @Override
        public void await() {}

        @Override
        public float largest(int row) {
            return largest;
        }

        @Override
        public int token(int row) {
            return 4;
        }

        @Override
        public float logprob(int row) {
            return -1.5f;
        }

        @Override
        public int rank(int row) {
            return 3;
        }

        @Override
        public int topId(int row, int index) {
            return 10 + index;
        }

        @Override
        public float topLogprob(int row, int index) {
            return -index;
        }
    }

    @Test
    void aScoredTokenHasAsManyOfTheLikeliestAsTheVocabularyAtMost() {
        var token = ScoreList.token(new OneRow(1), 0, 5, 2);
        assertThat(token.token()).isEqualTo(4);
        assertThat(token.logprob()).isEqualTo(-1.5f);
        assertThat(token.rank()).isEqualTo(3);
        assertThat(token.topIds()).containsExactly(10, 11);
        assertThat(token.topLogprobs()).containsExactly(0, -1);
    }

    @Test
    void logitsThatAreNoNumbersFailAsInTheSampler() {
        for (float largest : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            var logits = new float[] {largest, largest};
            assertThatThrownBy(() -> ScoreList.token(new OneRow(largest), 0, 1, 2))
                    .isInstanceOf(NanLogitsException.class)
                    .hasMessage(messageOf(logits).replace("token 1", "token 4"));
        }
    }

    private static String messageOf(float[] logits) {
        try {
            return String.valueOf(new Sampler(2).score(logits, 1, 0));
        } catch (NanLogitsException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
