package dev.kvasir.deploy;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * How a router warms up its doors: keys of {@code kvasir}, read once at start.
 *
 * @param timeout that a start waits for it at most; zero for no warm-up
 * @param requests sent at most
 */
public record DoorsWarmUpConfig(Duration timeout, int requests) {
    private static final int REQUESTS_MAX = 1_000_000;

    public DoorsWarmUpConfig {
        if (timeout.isNegative()) {
            throw new IllegalArgumentException(
                    "kvasir.doors-warm-up-timeout is " + timeout + " but must not be negative");
        }
        if (requests < 0 || requests > REQUESTS_MAX) {
            throw new IllegalArgumentException(
                    "kvasir.doors-warm-up-requests is %d but must be 0..%d".formatted(requests, REQUESTS_MAX));
        }
    }

    /** @param all bound of the time that warming up may take at all */
    static DoorsWarmUpConfig from(Config kvasir, Duration all) {
        var own = kvasir.getDuration("doors-warm-up-timeout");
        boolean less = own.compareTo(all) < 0 || all.isNegative(); // Which is refused by its own name.
        return new DoorsWarmUpConfig(less ? own : all, kvasir.getInt("doors-warm-up-requests"));
    }

    boolean isWanted() {
        return !timeout.isZero() && requests > 0;
    }
}
