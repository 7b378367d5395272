package dev.kvasir.worker;

import dev.kvasir.kvstore.actor.PrefixCacheShards;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/**
 * How a worker takes part in the shared prefix cache.
 *
 * @param config settings
 * @param shards way to the prefix index
 * @param shardsPerPool that all members agree on
 * @param bornMillis when this life of the member began
 * @param host that the KV transfer service listens on and is reached at
 * @param registry gets the metrics; one worker per registry
 */
public record Sharing(
        SharingConfig config,
        PrefixCacheShards shards,
        int shardsPerPool,
        long bornMillis,
        String host,
        PrometheusRegistry registry) {}
