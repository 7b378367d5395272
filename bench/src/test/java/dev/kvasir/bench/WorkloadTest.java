package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.HashSet;
import org.junit.jupiter.api.Test;

final class WorkloadTest {
    private static final Lengths TOKENS = new Lengths(300, 999);

    private static Workload workload(int groups, int prefix, int questions, boolean text, long seed) {
        return new Workload(20, new Lengths(30, 60), new Lengths(5, 9), groups, prefix, questions, TOKENS, text, seed);
    }

    private static int[] ids(PlannedRequest request) {
        return ((Prompt.Tokens) request.prompt()).ids();
    }

    @Test
    void aRequestIsAFunctionOfSeedAndIndex() {
        var first = workload(0, 0, 0, false, 1);
        assertThat(ids(first.request(7)))
                .isEqualTo(ids(workload(0, 0, 0, false, 1).request(7)));
        assertThat(ids(first.request(7)))
                .isNotEqualTo(ids(workload(0, 0, 0, false, 2).request(7)));
        assertThat(ids(first.request(7))).isNotEqualTo(ids(first.request(8)));
    }

    @Test
    void lengthsAndIdsKeepTheirRanges() {
        var lengths = new HashSet<Integer>();
        for (int i = 0; i < 500; i++) {
            var request = workload(0, 0, 0, false, 3).request(i);
            assertThat(ids(request).length).isEqualTo(request.inputLength()).isBetween(30, 60);
            assertThat(request.outputLength()).isBetween(5, 9);
            assertThat(Arrays.stream(ids(request))).allMatch(id -> id >= 300 && id <= 999);
            lengths.add(request.inputLength());
        }
        assertThat(lengths).contains(30, 60);
    }

    @Test
    void aGroupSharesItsPrefixAndNothingElse() {
        var workload = workload(3, 40, 0, false, 4);
        var first = ids(workload.request(1));
        var later = ids(workload.request(4));
        var other = ids(workload.request(2));
        assertThat(Arrays.mismatch(first, later)).isBetween(40, 42);
        assertThat(Arrays.mismatch(first, other)).isBetween(0, 3);
        assertThat(workload.request(2).repeated()).isFalse();
        assertThat(workload.request(3).repeated()).isTrue();
    }

    @Test
    void questionsShareTheirDocument() {
        var workload = workload(0, 0, 4, false, 5);
        for (int i = 0; i < 4; i++) {
            var request = workload.request(i);
            int document = request.inputLength() - Workload.QUESTION_LENGTH;
            assertThat(Arrays.copyOf(ids(request), document))
                    .isEqualTo(Arrays.copyOf(ids(workload.request(0)), document));
            assertThat(request.repeated()).isEqualTo(i > 0);
        }
        assertThat(workload.request(4).repeated()).isFalse();
        assertThat(workload.request(4).group()).isEqualTo(1);
    }

    @Test
    void textHasAWordPerToken() {
        var request = workload(0, 0, 0, true, 6).request(0);
        assertThat(((Prompt.Text) request.prompt()).text().split(" ")).hasSize(request.inputLength());
    }

    @Test
    void warmUpSharesNothingWithTheMeasured() {
        var workload = workload(2, 40, 0, false, 7);
        assertThat(Arrays.mismatch(ids(workload.warmUp(0)), ids(workload.request(0))))
                .isBetween(0, 3);
    }

    @Test
    void nonsenseIsRefusedWithNameAndRange() {
        assertThatThrownBy(() -> workload(3, 0, 0, false, 0)).hasMessageContaining("prefix length is 0");
        assertThatThrownBy(() -> workload(3, 40, 2, false, 0)).hasMessageContaining("prefix groups is 3");
        assertThatThrownBy(() -> Lengths.parse("9:3")).hasMessageContaining("9:3");
        assertThatThrownBy(() -> Lengths.parse("many")).hasMessageContaining("'many'");
    }
}
