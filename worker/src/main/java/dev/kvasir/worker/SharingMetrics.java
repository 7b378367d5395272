package dev.kvasir.worker;

import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.worker.engine.SharedBlocks;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.function.LongSupplier;

/** What a worker measures of KV blocks beyond its pool. */
final class SharingMetrics {
    private static final String MODEL_NAME = "model_name";

    private final PrometheusRegistry registry;
    private final String model;

    private SharingMetrics(PrometheusRegistry registry, String model) {
        this.registry = registry;
        this.model = model;
    }

    static void register(
            PrometheusRegistry registry,
            String model,
            SharedBlocks blocks,
            MemoryTier tier,
            Pulls pulls,
            Offers offers) {
        var metrics = new SharingMetrics(registry, model);
        metrics.gauge("kvasir:worker_host_blocks", "KV blocks copied to host memory.", tier::size);
        metrics.gauge("kvasir:worker_host_blocks_max", "KV blocks that fit into host memory.", tier::capacity);
        metrics.counter("kvasir:worker_host_blocks_kept", "KV blocks that were copied to host memory.", blocks::kept);
        metrics.counter(
                "kvasir:worker_host_blocks_restored",
                "KV blocks that were copied back to the device.",
                blocks::restored);
        metrics.counter("kvasir:worker_host_evictions", "KV blocks that host memory had no room for.", tier::evictions);
        metrics.counter(
                "kvasir:worker_host_damaged",
                "KV blocks in host memory that did not fit their checksum.",
                tier::damaged);
        metrics.counter("kvasir:worker_pulls_done", "Pulls of KV blocks that went well.", pulls::done);
        metrics.counter("kvasir:worker_pulls_failed", "Pulls that broke off or were not possible.", pulls::failed);
        metrics.counter(
                "kvasir:worker_pulls_refused",
                "Pulls that ended with a KV block that was damaged, or another than the one asked for.",
                pulls::refused);
        metrics.counter("kvasir:worker_pulls_not_worth", "Pulls not begun, computing being faster.", pulls::notWorth);
        metrics.counter("kvasir:worker_pulled_blocks", "KV blocks pulled.", pulls::blocks);
        metrics.counter(
                "kvasir:worker_device_pulled_blocks",
                "KV blocks pulled out of the device memory of a worker of the same host.",
                pulls::nearBlocks);
        metrics.counter("kvasir:worker_offered_blocks_held", "Offered KV blocks that kvstores hold.", offers::held);
        metrics.counter(
                "kvasir:worker_offered_blocks_dropped",
                "KV blocks not offered in time, or not taken.",
                offers::dropped);
    }

    private void gauge(String name, String help, LongSupplier value) {
        GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .callback(callback -> callback.call((double) value.getAsLong(), model))
                .register(registry);
    }

    private void counter(String name, String help, LongSupplier value) {
        CounterWithCallback.builder()
                .name(name)
                .help(help)
                .labelNames(MODEL_NAME)
                .callback(callback -> callback.call((double) value.getAsLong(), model))
                .register(registry);
    }
}
