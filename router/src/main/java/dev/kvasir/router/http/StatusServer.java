package dev.kvasir.router.http;

import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.HttpRouting;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.function.BooleanSupplier;

/**
 * {@code /health}, {@code /version} and {@code /metrics} of a member that has no door for requests, for probes and for
 * Prometheus. Owns its port.
 */
public final class StatusServer implements AutoCloseable {
    private static final int CONNECTIONS_MAX = 64;

    private final WebServer server;

    private StatusServer(WebServer server) {
        this.server = server;
    }

    /**
     * Starts to listen.
     *
     * @param port 0 for any free one
     * @param serving whether the member does what its roles say; {@code /health} is 200 where it does and 503 where not
     */
    public static StatusServer start(
            String host, int port, PrometheusRegistry registry, String version, BooleanSupplier serving) {
        var metrics = new MetricsPage(registry);
        return new StatusServer(WebServer.builder()
                .host(host)
                .port(port)
                .maxTcpConnections(CONNECTIONS_MAX)
                .shutdownHook(false)
                .routing(routing -> routes(routing, metrics, version, serving))
                .build()
                .start());
    }

    private static void routes(
            HttpRouting.Builder routing, MetricsPage metrics, String version, BooleanSupplier serving) {
        routing.get(
                        "/health",
                        (_, response) -> response.status(serving.getAsBoolean() ? 200 : 503)
                                .send())
                .get("/version", (_, response) -> {
                    response.header("Content-Type", "application/json");
                    response.send(Json.bytes(Json.object().put("version", version)));
                })
                .get("/metrics", (_, response) -> {
                    response.header("Content-Type", metrics.contentType());
                    response.send(metrics.text());
                });
    }

    public int port() {
        return server.port();
    }

    @Override
    public void close() {
        server.stop();
    }
}
