package dev.kvasir.deploy;

import java.net.URI;

/**
 * Where a member listens.
 *
 * @param host that clients use
 * @param httpPort 0 where the member has no doors
 * @param cluster host:port for other members
 */
public record Addresses(String host, int httpPort, int grpcPort, String cluster) {
    /** Without doors: a worker. */
    static Addresses ofWorker(String cluster) {
        return new Addresses("", 0, 0, cluster);
    }

    public boolean hasDoors() {
        return httpPort > 0;
    }

    public URI http() {
        return URI.create("http://" + clientHost() + ":" + httpPort);
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
