package dev.kvasir.bench.simulate;

/**
 * How KV moves.
 *
 * @param tokenBytes KV of a token
 * @param bytesPerSecond into a member, and out of it; 0 where nothing is pulled
 * @param workersPerStore so many workers share the network of one kvstore
 * @param latencySeconds from asking for blocks until the first of their bytes
 * @param hostBytesPerSecond from a worker's host memory to its device, while it computes nothing
 */
record Network(
        double tokenBytes,
        double bytesPerSecond,
        int workersPerStore,
        double latencySeconds,
        double hostBytesPerSecond) {
    Network {
        require(tokenBytes > 0, "--kv-bytes is %s but must be above 0", tokenBytes);
        require(bytesPerSecond >= 0, "--pull-bandwidth is %s but must be at least 0", bytesPerSecond / 1e6);
        require(workersPerStore >= 1, "--workers-per-store is %s but must be at least 1", workersPerStore);
        require(latencySeconds >= 0, "--pull-latency is %s but must be at least 0", latencySeconds * 1000);
        require(hostBytesPerSecond > 0, "--host-bandwidth is %s but must be above 0", hostBytesPerSecond / 1e6);
    }

    /** Nothing is pulled. */
    static Network none() {
        return new Network(1, 0, 1, 0, 1);
    }

    boolean pulls() {
        return bytesPerSecond > 0;
    }

    /** For reports. */
    String title() {
        return pulls()
                ? "%s KB of KV per token, pulled at %s MB/s after %s ms, a kvstore for %d workers"
                        .formatted(
                                Report.number(tokenBytes / 1e3),
                                Report.number(bytesPerSecond / 1e6),
                                Report.number(latencySeconds * 1e3),
                                workersPerStore)
                : "no pulls";
    }

    private static void require(boolean holds, String message, double value) {
        if (!holds) {
            throw new IllegalArgumentException(message.formatted(Report.number(value)));
        }
    }
}
