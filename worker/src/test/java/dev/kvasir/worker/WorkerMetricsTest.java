package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.worker.engine.EngineLoad;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.DataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class WorkerMetricsTest {
    private final PrometheusRegistry registry = new PrometheusRegistry();

    @Test
    void whatTheEngineTellsIsCountedUnderNamesThatDashboardsKnow() {
        var metrics = new WorkerMetrics(registry, "demo");
        metrics.started(2_000_000_000, 100, 64);
        metrics.stepped(36, 3, 1);
        metrics.finished(FinishReason.STOP, 100, 3);
        metrics.failed(FailureKind.RESOURCE_EXHAUSTED);
        metrics.loaded(new EngineLoad(2, 3, 40, 75, 100, 0));

        assertThat(values())
                .containsEntry("vllm:num_requests_running", 2.0)
                .containsEntry("vllm:num_requests_waiting", 3.0)
                .containsEntry("vllm:kv_cache_usage_perc", 0.25)
                .containsEntry("vllm:prefix_cache_queries", 100.0)
                .containsEntry("vllm:prefix_cache_hits", 64.0)
                .containsEntry("vllm:prompt_tokens", 100.0)
                .containsEntry("vllm:generation_tokens", 3.0)
                .containsEntry("vllm:num_preemptions", 1.0)
                .containsEntry("vllm:request_queue_time_seconds", 2.0)
                .containsEntry("kvasir:iteration_tokens", 36.0)
                .containsEntry("kvasir:worker_tokens_in_flight", 40.0)
                .containsEntry("kvasir:worker_kv_blocks_free", 75.0)
                .containsEntry("kvasir:worker_outputs_finished", 1.0)
                .containsEntry("kvasir:worker_requests_failed", 1.0);
    }

    private Map<String, Double> values() {
        var values = new TreeMap<String, Double>();
        for (var snapshot : registry.scrape()) {
            for (var point : snapshot.getDataPoints()) {
                values.put(snapshot.getMetadata().getName(), value(point));
                assertThat(point.getLabels().get("model_name")).isEqualTo("demo");
            }
        }
        return values;
    }

    private static double value(DataPointSnapshot point) {
        return switch (point) {
            case CounterDataPointSnapshot counter -> counter.getValue();
            case GaugeDataPointSnapshot gauge -> gauge.getValue();
            case HistogramDataPointSnapshot histogram -> histogram.getSum();
            default -> Double.NaN;
        };
    }
}
