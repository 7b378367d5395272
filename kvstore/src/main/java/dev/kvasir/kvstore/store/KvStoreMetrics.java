package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.TransferClient;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** What a kvstore measures. */
final class KvStoreMetrics {
    private KvStoreMetrics() {}

    static void register(PrometheusRegistry registry, Store store, TransferClient client) {
        gauge(
                registry,
                "kvasir:kvstore_memory_blocks",
                "KV blocks in memory.",
                store,
                pool -> pool.memory().size());
        gauge(
                registry,
                "kvasir:kvstore_memory_blocks_max",
                "KV blocks that fit into memory.",
                store,
                pool -> pool.memory().capacity());
        counter(
                registry,
                "kvasir:kvstore_memory_evictions",
                "KV blocks that memory had no room for.",
                store,
                pool -> Stream.of(pool.memory()),
                MemoryTier::evictions);
        counter(
                registry,
                "kvasir:kvstore_memory_damaged",
                "KV blocks in memory that did not fit their checksum.",
                store,
                pool -> Stream.of(pool.memory()),
                MemoryTier::damaged);
        gauge(registry, "kvasir:kvstore_disk_blocks", "KV blocks on disk.", store, disk(DiskTier::size));
        gauge(
                registry,
                "kvasir:kvstore_disk_off",
                "1 while the disk tier has switched itself off.",
                store,
                disk(tier -> tier.isOff() ? 1 : 0));
        counter(
                registry,
                "kvasir:kvstore_disk_switched_off",
                "Times that the disk tier has switched itself off.",
                store,
                KvStoreMetrics::disks,
                DiskTier::switchedOff);
        counter(
                registry,
                "kvasir:kvstore_disk_rejected",
                "Files and blocks on disk that were torn, damaged or of another model.",
                store,
                KvStoreMetrics::disks,
                DiskTier::rejected);
        counter(
                registry,
                "kvasir:kvstore_disk_dropped",
                "KV blocks that the disk could not keep up with.",
                store,
                KvStoreMetrics::disks,
                DiskTier::dropped);
        CounterWithCallback.builder()
                .name("kvasir:kvstore_pulls_refused")
                .help("Pulls that ended with a KV block that was damaged, or another than the one asked for.")
                .callback(callback -> callback.call((double) client.refused()))
                .register(registry);
    }

    private static ToDoubleFunction<Pool> disk(ToDoubleFunction<DiskTier> value) {
        return pool -> {
            var disk = pool.disk();
            return disk == null ? 0 : value.applyAsDouble(disk);
        };
    }

    private static void gauge(
            PrometheusRegistry registry, String name, String help, Store store, ToDoubleFunction<Pool> value) {
        GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .callback(callback -> callback.call(sum(store, value)))
                .register(registry);
    }

    /** Pools and disks come and go; what they have counted stays. */
    private static <T> void counter(
            PrometheusRegistry registry,
            String name,
            String help,
            Store store,
            Function<Pool, Stream<T>> parts,
            ToDoubleFunction<T> value) {
        var total = new LastingTotal<>(value);
        CounterWithCallback.builder()
                .name(name)
                .help(help)
                .callback(callback -> callback.call(
                        total.of(store.pools().stream().flatMap(parts).toList())))
                .register(registry);
    }

    private static Stream<DiskTier> disks(Pool pool) {
        return Stream.ofNullable(pool.disk());
    }

    private static double sum(Store store, ToDoubleFunction<Pool> value) {
        return store.pools().stream().mapToDouble(value).sum();
    }
}
