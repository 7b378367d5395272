package dev.kvasir.worker;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * How a worker keeps what it said: section {@code kvasir.worker.streams}, and the cluster's lease.
 *
 * @param lease a router that is silent for so long loses its requests
 * @param stepTimeout an engine step that takes longer, and far longer than any before, is taken for stuck
 * @param retention how long a request that no longer runs can still be resumed
 * @param resumeWait how long a draining worker waits for somebody to resume a request that nobody was done with
 * @param retainedMax requests kept so
 * @param retainedBytesMax memory for them
 */
public record StreamSettings(
        Duration lease,
        Duration stepTimeout,
        Duration retention,
        Duration resumeWait,
        int retainedMax,
        long retainedBytesMax) {
    private static final String SECTION = "kvasir.worker.streams.";

    public StreamSettings {
        require("lease", lease, lease.toMillis() >= 20, "at least 20 ms");
        require("step-timeout", stepTimeout, stepTimeout.toMillis() >= 1, "at least 1 ms");
        require("retention", retention, !retention.isNegative(), "not negative");
        require("resume-wait", resumeWait, !resumeWait.isNegative(), "not negative");
        require("retained-max", retainedMax, retainedMax >= 0, "at least 0");
        require("retained-bytes-max", retainedBytesMax, retainedBytesMax >= 0, "at least 0");
    }

    public static StreamSettings defaults() {
        return new StreamSettings(
                Duration.ofSeconds(1),
                Duration.ofSeconds(30),
                Duration.ofSeconds(60),
                Duration.ofSeconds(10),
                1024,
                64L << 20);
    }

    /**
     * Reads the section.
     *
     * @param lease of {@code kvasir.cluster}
     */
    public static StreamSettings from(Config section, Duration lease) {
        return new StreamSettings(
                lease,
                section.getDuration("step-timeout"),
                section.getDuration("retention"),
                section.getDuration("resume-wait"),
                section.getInt("retained-max"),
                section.getBytes("retained-bytes-max"));
    }

    private static void require(String key, Object value, boolean holds, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("%s%s is %s but must be %s".formatted(SECTION, key, value, allowed));
        }
    }
}
