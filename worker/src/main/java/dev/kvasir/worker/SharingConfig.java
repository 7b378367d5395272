package dev.kvasir.worker;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/**
 * What a worker does with KV blocks beyond its own pool, section {@code kvasir.worker.sharing}.
 *
 * @param memory bytes of copies in host memory; 0 for none, and no exchange with others
 * @param longTokens a block this deep in its prompt is copied even if nobody came back to it
 * @param pull whether blocks are pulled from others
 * @param devicePull whether workers of the same host read blocks in each other's device memory, where that is possible
 * @param pullTimeout longest pull
 * @param offer which blocks kvstores are offered
 * @param transferPort of the KV transfer service; 0 for a free one
 * @param transfersMax under way at a time, in each direction
 * @param serveTimeout longest time in which a pull of another member is served
 * @param handOverTimeout longest time in which a worker that leaves gives its blocks to kvstores; 0 for not at all
 */
public record SharingConfig(
        long memory,
        int longTokens,
        boolean pull,
        boolean devicePull,
        Duration pullTimeout,
        Offer offer,
        int transferPort,
        int transfersMax,
        Duration serveTimeout,
        Duration handOverTimeout) {
    /** Which blocks kvstores of other members are offered. */
    public enum Offer {
        /** None, but for those of a worker that drains. */
        NONE,
        /** Those that are copied to host memory. */
        COPIED,
        /** Every block when it is complete. */
        ALL
    }

    private static final String SECTION = "kvasir.worker.sharing.";
    private static final Config DEFAULTS = ConfigFactory.parseMap(Map.ofEntries(
            Map.entry("memory", "256 MiB"),
            Map.entry("long-tokens", 512),
            Map.entry("pull", true),
            Map.entry("device-pull", true),
            Map.entry("pull-timeout", "5 s"),
            Map.entry("offer", "copied"),
            Map.entry("transfer-port", 0),
            Map.entry("serve-timeout", "1 minute"),
            Map.entry("max-transfers", 8),
            Map.entry("hand-over-timeout", "10 s")));

    public SharingConfig {
        require(memory >= 0 && memory <= 1L << 46, "memory", memory, "between 0 and 64 TiB");
        require(longTokens >= 1, "long-tokens", longTokens, "at least 1");
        require(
                pullTimeout.toMillis() >= 10 && pullTimeout.toMinutes() < 10,
                "pull-timeout",
                pullTimeout.toMillis() + " ms",
                "between 10 ms and 10 minutes");
        require(transferPort >= 0 && transferPort <= 65_535, "transfer-port", transferPort, "in [0, 65535]");
        require(transfersMax >= 1 && transfersMax <= 1024, "max-transfers", transfersMax, "in [1, 1024]");
        require(
                serveTimeout.toMillis() >= 10 && serveTimeout.toHours() < 1,
                "serve-timeout",
                serveTimeout.toMillis() + " ms",
                "between 10 ms and 1 hour");
        require(
                !handOverTimeout.isNegative() && handOverTimeout.toMinutes() < 10,
                "hand-over-timeout",
                handOverTimeout.toMillis() + " ms",
                "between 0 ms and 10 minutes");
    }

    /** Settings with every default. */
    public static SharingConfig defaults() {
        return from(ConfigFactory.empty());
    }

    /** Reads the section; keys that are absent have their defaults. */
    public static SharingConfig from(Config section) {
        var config = section.withFallback(DEFAULTS);
        return new SharingConfig(
                config.getBytes("memory"),
                config.getInt("long-tokens"),
                config.getBoolean("pull"),
                config.getBoolean("device-pull"),
                config.getDuration("pull-timeout"),
                offer(config.getString("offer")),
                config.getInt("transfer-port"),
                config.getInt("max-transfers"),
                config.getDuration("serve-timeout"),
                config.getDuration("hand-over-timeout"));
    }

    private static Offer offer(String word) {
        return Arrays.stream(Offer.values())
                .filter(offer -> offer.name().equalsIgnoreCase(word))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("%soffer is %s but must be one of %s"
                        .formatted(
                                SECTION, word, Arrays.toString(Offer.values()).toLowerCase(Locale.ROOT))));
    }

    private static void require(boolean holds, String key, Object value, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("%s%s is %s but must be %s".formatted(SECTION, key, value, allowed));
        }
    }
}
