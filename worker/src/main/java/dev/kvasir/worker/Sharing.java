package dev.kvasir.worker;

import dev.kvasir.kvstore.actor.PrefixCacheShards;
import dev.kvasir.kvstore.transfer.TransferSettings;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/**
 * How a worker takes part in the shared prefix cache.
 *
 * @param config settings
 * @param shards way to the prefix index
 * @param shardsPerPool that all members agree on
 * @param bornMillis when this life of the member began
 * @param transfer where the KV transfer service is
 * @param registry gets the metrics; one worker per registry
 */
public record Sharing(
        SharingConfig config,
        PrefixCacheShards shards,
        int shardsPerPool,
        long bornMillis,
        TransferSettings transfer,
        PrometheusRegistry registry) {}
