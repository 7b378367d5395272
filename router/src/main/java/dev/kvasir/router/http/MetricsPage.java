package dev.kvasir.router.http;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** {@code /metrics}: those of a registry and those of the JVM, in Prometheus' text format. */
final class MetricsPage {
    private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
    private final PrometheusRegistry registry;
    private final PrometheusRegistry jvm = new PrometheusRegistry();

    MetricsPage(PrometheusRegistry registry) {
        this.registry = registry;
        JvmMetrics.builder().register(jvm);
    }

    String contentType() {
        return writer.getContentType();
    }

    byte[] text() {
        var out = new ByteArrayOutputStream();
        try {
            writer.write(out, registry.scrape(), EscapingScheme.ALLOW_UTF8);
            writer.write(out, jvm.scrape(), EscapingScheme.ALLOW_UTF8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }
}
