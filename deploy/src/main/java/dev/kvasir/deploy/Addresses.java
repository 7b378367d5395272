package dev.kvasir.deploy;

import java.net.URI;

/**
 * Where a member listens.
 *
 * @param host that clients use
 * @param httpPort of the API, or of /health and /metrics alone
 * @param grpcPort 0 where the member has no doors for clients
 * @param cluster host:port for other members
 * @param tls whether the doors speak TLS
 */
public record Addresses(String host, int httpPort, int grpcPort, String cluster, boolean tls) {

    /** Without doors for clients: a worker, or a kvstore. */
    static Addresses of(String statusHost, int statusPort, String cluster) {
        return new Addresses(statusHost, statusPort, 0, cluster, false);
    }

    /** Whether clients are answered here. */
    public boolean hasDoors() {
        return grpcPort > 0;
    }

    public URI http() {
        return URI.create((tls ? "https://" : "http://") + clientHost() + ":" + httpPort);
    }

    /** host:port of the gRPC API. */
    public String grpc() {
        return clientHost() + ":" + grpcPort;
    }

    /** A server on every address is reached on this machine by the loopback one. */
    private String clientHost() {
        return switch (host) {
            case "0.0.0.0", "::", "[::]" -> "127.0.0.1";
            default -> host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host;
        };
    }
}
