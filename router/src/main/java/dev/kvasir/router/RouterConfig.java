package dev.kvasir.router;

import com.typesafe.config.Config;
import dev.kvasir.router.placement.Policy;
import java.time.Duration;

/**
 * Section {@code kvasir.router} of the configuration, read once at start.
 *
 * @param host address that both doors bind to
 * @param httpPort 0 for any free one
 * @param grpcPort 0 for any free one
 * @param placement policy that chooses a worker for each request
 * @param concurrentRequestsMax requests being answered at a time; more are refused
 * @param requestTimeoutMax longest life of a request, whatever deadline its client names
 * @param acceptTimeout how long a worker may take to say that it has a request
 * @param slowReaderTimeout how long a client may read nothing although there is something
 * @param bufferedTokensMax tokens that may wait for a slow client
 * @param messageBytesMax largest request of either door
 * @param textCacheBytes memory for token ids of parts of prompts; 0 for none
 * @param nameCacheBytes memory for names of blocks of long prompts; 0 for none
 * @param metadataBytesMax largest request headers of either door
 * @param callsPerConnectionMax concurrent calls on one HTTP/2 connection
 * @param connectionAgeMax after which a gRPC connection is asked to go; zero for never
 * @param keepAliveTimeMin clients that ping more often are disconnected
 * @param handshakeTimeout for a new gRPC connection
 * @param drainTimeout how long open streams may go on once the router drains
 * @param drainSettle how long a draining router says that it is not serving, and serves, before it refuses
 * @param tenantIsolation whether KV blocks of one tenant are never used for another
 * @param remoteAdmin whether operators' calls are answered to clients on other machines
 * @param access who may come in by the doors
 * @param minorityTimeout after which a router that reaches only a minority of the cluster takes no new requests
 */
public record RouterConfig(
        String host,
        int httpPort,
        int grpcPort,
        Policy placement,
        int concurrentRequestsMax,
        Duration requestTimeoutMax,
        Duration acceptTimeout,
        Duration slowReaderTimeout,
        int bufferedTokensMax,
        int messageBytesMax,
        long textCacheBytes,
        long nameCacheBytes,
        int metadataBytesMax,
        int callsPerConnectionMax,
        Duration connectionAgeMax,
        Duration keepAliveTimeMin,
        Duration handshakeTimeout,
        Duration drainTimeout,
        Duration drainSettle,
        boolean tenantIsolation,
        boolean remoteAdmin,
        AccessConfig access,
        Duration minorityTimeout) {
    private static final Duration ONE_MILLISECOND = Duration.ofMillis(1);
    private static final long CACHE_BYTES_MAX = 1L << 36;

    public RouterConfig {
        check("host", host, !host.isBlank(), "a host name or address");
        checkPort("http-port", httpPort);
        checkPort("grpc-port", grpcPort);
        checkRange("concurrent-requests-max", concurrentRequestsMax, 1, 1_000_000);
        checkPositive("request-timeout-max", requestTimeoutMax);
        checkPositive("accept-timeout", acceptTimeout);
        checkPositive("slow-reader-timeout", slowReaderTimeout);
        checkRange("buffered-tokens-max", bufferedTokensMax, 16, 10_000_000);
        checkRange("message-bytes-max", messageBytesMax, 1024, 1 << 30);
        checkCache("text-cache", textCacheBytes);
        checkCache("name-cache", nameCacheBytes);
        checkRange("metadata-bytes-max", metadataBytesMax, 1024, 1 << 20);
        checkRange("calls-per-connection-max", callsPerConnectionMax, 1, 1_000_000);
        check("connection-age-max", connectionAgeMax, !connectionAgeMax.isNegative(), "not negative");
        checkPositive("keep-alive-time-min", keepAliveTimeMin);
        checkPositive("handshake-timeout", handshakeTimeout);
        checkPositive("drain-timeout", drainTimeout);
        checkPositive("minority-timeout", minorityTimeout);
        check("drain-settle", drainSettle, !drainSettle.isNegative(), "not negative");
    }

    /** Reads what is under {@code kvasir.router}. */
    public static RouterConfig from(Config section) {
        return new RouterConfig(
                section.getString("host"),
                section.getInt("http-port"),
                section.getInt("grpc-port"),
                placement(section.getString("placement")),
                section.getInt("concurrent-requests-max"),
                section.getDuration("request-timeout-max"),
                section.getDuration("accept-timeout"),
                section.getDuration("slow-reader-timeout"),
                section.getInt("buffered-tokens-max"),
                Math.toIntExact(section.getBytes("message-bytes-max")),
                section.getBytes("text-cache"),
                section.getBytes("name-cache"),
                Math.toIntExact(section.getBytes("metadata-bytes-max")),
                section.getInt("calls-per-connection-max"),
                section.getDuration("connection-age-max"),
                section.getDuration("keep-alive-time-min"),
                section.getDuration("handshake-timeout"),
                section.getDuration("drain-timeout"),
                section.getDuration("drain-settle"),
                section.getBoolean("tenant-isolation"),
                section.getBoolean("remote-admin"),
                AccessConfig.from(section),
                section.getDuration("minority-timeout"));
    }

    /** The same for doors on free ports of the loopback address that let everybody in, in plain text. */
    public RouterConfig onLoopback() {
        return new RouterConfig(
                "127.0.0.1",
                0,
                0,
                placement,
                concurrentRequestsMax,
                requestTimeoutMax,
                acceptTimeout,
                slowReaderTimeout,
                bufferedTokensMax,
                messageBytesMax,
                textCacheBytes,
                nameCacheBytes,
                metadataBytesMax,
                callsPerConnectionMax,
                connectionAgeMax,
                keepAliveTimeMin,
                handshakeTimeout,
                drainTimeout,
                drainSettle,
                tenantIsolation,
                remoteAdmin,
                AccessConfig.OPEN,
                minorityTimeout);
    }

    private static Policy placement(String title) {
        return Policy.of(title)
                .orElseThrow(() -> new IllegalArgumentException("kvasir.router.placement is %s but must be one of %s"
                        .formatted(title, String.join(", ", Policy.titles()))));
    }

    private static void checkCache(String key, long bytes) {
        check(key, bytes, bytes >= 0 && bytes <= CACHE_BYTES_MAX, "0.." + CACHE_BYTES_MAX);
    }

    private static void checkPort(String key, int port) {
        checkRange(key, port, 0, 65535);
    }

    private static void checkRange(String key, int value, int min, int max) {
        check(key, value, value >= min && value <= max, min + ".." + max);
    }

    private static void checkPositive(String key, Duration value) {
        check(key, value, value.compareTo(ONE_MILLISECOND) >= 0, "at least 1 ms");
    }

    private static void check(String key, Object value, boolean holds, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("kvasir.router.%s is %s but must be %s".formatted(key, value, allowed));
        }
    }
}
