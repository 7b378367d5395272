package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class SummaryTest {
    private static final long MILLI = 1_000_000;

    private static RequestResult result(
            int index,
            boolean repeated,
            long due,
            long sent,
            long end,
            int cached,
            @Nullable Failure failure,
            long... events) {
        return new RequestResult(
                index, 0, repeated, 100, events.length, due, sent, events, end, 100, cached, events.length, failure);
    }

    private static final List<RequestResult> RUN = List.of(
            result(0, false, 0, 0, 500 * MILLI, 0, null, 200 * MILLI, 300 * MILLI, 500 * MILLI),
            result(1, true, 100 * MILLI, 300 * MILLI, 1000 * MILLI, 50, null, 600 * MILLI, 1000 * MILLI),
            result(2, true, 0, 0, 2000 * MILLI, -1, new Failure("HTTP 429", "full")));

    @Test
    void latenciesCountFromTheTimeARequestWasDue() {
        var ttft = Summary.of(RUN, ServiceLevel.NONE).latencies().get(Metric.TTFT);
        assertThat(ttft).isNotNull();
        assertThat(ttft.percentile(0)).isEqualTo(200);
        assertThat(ttft.percentile(100)).isEqualTo(500);
    }

    @Test
    void figuresAreExact() {
        var summary = Summary.of(RUN, ServiceLevel.NONE);
        assertThat(summary.succeeded()).isEqualTo(2);
        assertThat(summary.failures()).isEqualTo(Map.of("HTTP 429", 1L));
        assertThat(summary.durationSeconds()).isEqualTo(2);
        assertThat(summary.outputTokensPerSecond()).isEqualTo(2.5);
        assertThat(summary.inputTokensPerSecond()).isEqualTo(100);
        assertThat(summary.cachedShare()).isEqualTo(0.25);
        assertThat(summary.firstTtft().median()).isEqualTo(200);
        assertThat(summary.repeatedTtft().median()).isEqualTo(500);
        assertThat(Metric.ITL.over(RUN).count()).isEqualTo(3);
        assertThat(Metric.ITL.over(RUN).mean()).isCloseTo(700.0 / 3, within(1e-9));
        assertThat(RUN.getFirst().tpotMillis()).isEqualTo(150);
    }

    @Test
    void goodputCountsRequestsThatKeepEveryBound() {
        assertThat(Summary.of(RUN, ServiceLevel.parse("ttft:300")).goodRequests())
                .isEqualTo(1);
        assertThat(Summary.of(RUN, ServiceLevel.parse("ttft:500,tpot:400,e2e:900"))
                        .goodRequests())
                .isEqualTo(2);
        assertThat(Summary.of(RUN, ServiceLevel.parse("tpot:100")).goodRequests())
                .isZero();
        assertThat(Summary.of(RUN, ServiceLevel.NONE).goodRequests()).isEqualTo(2);
    }

    @Test
    void aServiceLevelNamesWhatIsWrong() {
        assertThat(ServiceLevel.parse("ttft:500,tpot:50").toString()).isEqualTo("ttft:500,tpot:50");
        assertThatThrownBy(() -> ServiceLevel.parse("itl:5")).hasMessageContaining("itl:5");
        assertThatThrownBy(() -> ServiceLevel.parse("ttft:-5")).hasMessageContaining("ttft:-5");
        assertThatThrownBy(() -> ServiceLevel.parse("ttft")).hasMessageContaining("NAME:MILLISECONDS");
    }

    @Test
    void outputTokensAreSpreadOverTheTimeline() {
        var timeline = Timeline.of(RUN, 4);
        assertThat(timeline.spanSeconds()).isEqualTo(0.5);
        assertThat(timeline.outputTokensPerSecond()).containsExactly(4, 4, 2, 0);
        assertThat(timeline.inFlight()).containsExactly(2, 2, 1, 1);
    }
}
