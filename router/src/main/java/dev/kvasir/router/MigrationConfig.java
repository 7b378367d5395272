package dev.kvasir.router;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * How a router keeps streams alive: section {@code kvasir.router.migration}, and the cluster's lease.
 *
 * @param lease a worker that is silent for so long is lost, and its requests go on elsewhere
 * @param workerWait how long a request that was accepted waits for a worker when there is none
 * @param withoutProgressMax how often in a row a request is placed again without a new token in between; a request that
 *     breaks workers must not break all of them
 * @param findTimeout how long workers are asked for a request that a client wants to resume
 */
public record MigrationConfig(Duration lease, Duration workerWait, int withoutProgressMax, Duration findTimeout) {
    public MigrationConfig {
        check("lease", lease, lease.toMillis() >= 20, "at least 20 ms");
        check("worker-wait", workerWait, !workerWait.isNegative(), "not negative");
        check("without-progress-max", withoutProgressMax, withoutProgressMax >= 0, "at least 0");
        check("find-timeout", findTimeout, findTimeout.toMillis() >= 1, "at least 1 ms");
    }

    public static MigrationConfig defaults() {
        return new MigrationConfig(Duration.ofSeconds(1), Duration.ofSeconds(15), 8, Duration.ofSeconds(1));
    }

    /**
     * Reads the section.
     *
     * @param lease of {@code kvasir.cluster}
     */
    public static MigrationConfig from(Config section, Duration lease) {
        return new MigrationConfig(
                lease,
                section.getDuration("worker-wait"),
                section.getInt("without-progress-max"),
                section.getDuration("find-timeout"));
    }

    private static void check(String key, Object value, boolean holds, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException(
                    "kvasir.router.migration.%s is %s but must be %s".formatted(key, value, allowed));
        }
    }
}
