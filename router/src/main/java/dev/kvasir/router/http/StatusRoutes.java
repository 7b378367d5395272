package dev.kvasir.router.http;

import dev.kvasir.router.Frontend;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/** {@code /health}, {@code /ping}, {@code /version}, {@code /load} and {@code /metrics}. */
final class StatusRoutes {
    private final Frontend frontend;
    private final String version;
    private final MetricsPage metrics;

    StatusRoutes(Frontend frontend, String version, PrometheusRegistry registry) {
        this.frontend = frontend;
        this.version = version;
        this.metrics = new MetricsPage(registry);
    }

    /** 200 where a request could be answered now, 503 where not. */
    void health(Exchange exchange) {
        boolean serving = !frontend.draining() && frontend.models().stream().anyMatch(frontend.status()::serving);
        exchange.response().status(serving ? 200 : 503).send();
    }

    void version(Exchange exchange) {
        exchange.send(200, Json.object().put("version", version));
    }

    void load(Exchange exchange) {
        exchange.send(200, Json.object().put("server_load", frontend.open()));
    }

    void metrics(Exchange exchange) {
        exchange.send(200, metrics.contentType(), metrics.text());
    }
}
