package dev.kvasir.kvstore;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kvasir.kvstore.shard.IndexShard;
import java.time.Duration;
import java.util.Map;

/**
 * Settings of the shared prefix cache, section {@code kvasir.kvstore}.
 *
 * @param indexShards shards of the prefix index for each pool of equal workers
 * @param indexBlocksMax block-holder pairs that a shard remembers
 * @param lease how long a holder of blocks may be silent
 * @param memory bytes of blocks in host memory
 * @param disk bytes of blocks on disk; 0 for none
 * @param diskSlow disk operations that take longer are slow
 * @param diskRetry after which a disk tier that switched itself off is tried again
 * @param transferPort of the KV transfer service; 0 for a free one
 * @param transfersMax under way at a time, in each direction
 * @param serveTimeout longest time in which a pull of another member is served
 */
public record KvStoreConfig(
        int indexShards,
        int indexBlocksMax,
        Duration lease,
        long memory,
        long disk,
        Duration diskSlow,
        Duration diskRetry,
        int transferPort,
        int transfersMax,
        Duration serveTimeout) {
    private static final String SECTION = "kvasir.kvstore.";
    private static final int HOLDERS_MAX = 4096;
    private static final int FOLLOWERS_MAX = 1024;
    private static final Config DEFAULTS = ConfigFactory.parseMap(Map.ofEntries(
            Map.entry("index-shards", 4),
            Map.entry("index-blocks-max", 500_000),
            Map.entry("lease", "5 s"),
            Map.entry("memory", "256 MiB"),
            Map.entry("disk", "0 MiB"),
            Map.entry("disk-slow", "500 ms"),
            Map.entry("disk-retry", "1 minute"),
            Map.entry("transfer-port", 0),
            Map.entry("serve-timeout", "1 minute"),
            Map.entry("max-transfers", 16)));

    public KvStoreConfig {
        between("index-shards", indexShards, 1, 64);
        between("index-blocks-max", indexBlocksMax, 1024, 1 << 28);
        require(
                lease.toMillis() >= 2_000 && lease.toHours() < 1,
                "lease",
                lease.toMillis() + " ms",
                "between 2 s and 1 hour");
        between("memory", memory, 1 << 20, 1L << 46);
        require(disk == 0 || (disk >= 1 << 20 && disk <= 1L << 46), "disk", disk, "0 or in [1 MiB, 64 TiB]");
        require(diskSlow.toMillis() >= 1 && diskSlow.toHours() < 1, "disk-slow", diskSlow, "between 1 ms and 1 hour");
        require(
                diskRetry.toMillis() >= 1 && diskRetry.toHours() < 1,
                "disk-retry",
                diskRetry,
                "between 1 ms and 1 hour");
        between("transfer-port", transferPort, 0, 65_535);
        between("max-transfers", transfersMax, 1, 1024);
        require(
                serveTimeout.toMillis() >= 10 && serveTimeout.toHours() < 1,
                "serve-timeout",
                serveTimeout,
                "between 10 ms and 1 hour");
    }

    /** Settings with every default. */
    public static KvStoreConfig defaults() {
        return from(ConfigFactory.empty());
    }

    /** Reads the section; keys that are absent have their defaults. */
    public static KvStoreConfig from(Config section) {
        var config = section.withFallback(DEFAULTS);
        return new KvStoreConfig(
                config.getInt("index-shards"),
                config.getInt("index-blocks-max"),
                config.getDuration("lease"),
                config.getBytes("memory"),
                config.getBytes("disk"),
                config.getDuration("disk-slow"),
                config.getDuration("disk-retry"),
                config.getInt("transfer-port"),
                config.getInt("max-transfers"),
                config.getDuration("serve-timeout"));
    }

    /** Bounds of one shard. */
    public IndexShard.Limits shardLimits() {
        return new IndexShard.Limits(
                indexBlocksMax, HOLDERS_MAX, FOLLOWERS_MAX, lease.toNanos(), lease.toNanos() / 4, 2 * lease.toNanos());
    }

    private static void between(String key, long value, long min, long max) {
        require(value >= min && value <= max, key, value, "in [" + min + ", " + max + "]");
    }

    private static void require(boolean holds, String key, Object value, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("%s%s is %s but must be %s".formatted(SECTION, key, value, allowed));
        }
    }
}
