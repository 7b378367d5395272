package dev.kvasir.router.http;

import dev.kvasir.router.Frontend;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** {@code /health}, {@code /ping}, {@code /version}, {@code /load} and {@code /metrics}. */
final class StatusRoutes {
    private final Frontend frontend;
    private final String version;
    private final PrometheusRegistry registry;
    private final PrometheusRegistry jvm = new PrometheusRegistry();

    StatusRoutes(Frontend frontend, String version, PrometheusRegistry registry) {
        this.frontend = frontend;
        this.version = version;
        this.registry = registry;
        JvmMetrics.builder().register(jvm);
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
        var writer = PrometheusTextFormatWriter.create();
        var out = new ByteArrayOutputStream();
        try {
            writer.write(out, registry.scrape(), EscapingScheme.ALLOW_UTF8);
            writer.write(out, jvm.scrape(), EscapingScheme.ALLOW_UTF8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        exchange.response().header("Content-Type", writer.getContentType());
        exchange.response().send(out.toByteArray());
    }
}
