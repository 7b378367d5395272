package dev.kvasir.router.http;

import io.helidon.http.Method;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.List;
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
        for (var method : List.of(Method.GET, Method.HEAD)) {
            routing.route(
                            method,
                            "/health",
                            (_, response) -> response.status(serving.getAsBoolean() ? 200 : 503)
                                    .send())
                    .route(method, "/version", (request, response) -> {
                        var body = Json.bytes(Json.object().put("version", version));
                        send(request, response, "application/json", body);
                    })
                    .route(
                            method,
                            "/metrics",
                            (request, response) -> send(request, response, metrics.contentType(), metrics.text()));
        }
    }

    private static void send(ServerRequest request, ServerResponse response, String type, byte[] body) {
        response.header("Content-Type", type);
        Exchange.send(request, response, body);
    }

    public int port() {
        return server.port();
    }

    @Override
    public void close() {
        server.stop();
    }
}
