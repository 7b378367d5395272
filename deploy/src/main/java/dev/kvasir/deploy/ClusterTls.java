package dev.kvasir.deploy;

import dev.kvasir.protocol.tls.Certificates;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.apache.pekko.remote.artery.tcp.SSLEngineProvider;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Option;

/**
 * TLS of the cluster's port. Both sides show certificates of one authority, and the side that connects checks that the
 * other's names the address that it connects to. Each connection takes the certificates of its time; those that are open
 * go on whatever becomes of theirs. Who is refused, or refuses, is logged once in a while.
 */
final class ClusterTls implements SSLEngineProvider {
    private static final Logger LOG = LoggerFactory.getLogger(ClusterTls.class);
    private static final String[] PROTOCOLS = {"TLSv1.3"};
    private static final long REPORT_EVERY_NANOS = Duration.ofSeconds(5).toNanos();

    private final Certificates certificates;
    private final AtomicLong reportedNanos = new AtomicLong(System.nanoTime() - REPORT_EVERY_NANOS);

    ClusterTls(Certificates certificates) {
        this.certificates = certificates;
    }

    @Override
    public SSLEngine createServerSSLEngine(String host, int port) {
        var engine = certificates.context().createSSLEngine(host, port);
        engine.setUseClientMode(false);
        var parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setNeedClientAuth(true);
        engine.setSSLParameters(parameters);
        return new ReportingEngine(engine, e -> report("somebody who wanted to connect was refused", e));
    }

    @Override
    public SSLEngine createClientSSLEngine(String host, int port) {
        var engine = certificates.context().createSSLEngine(host, port);
        engine.setUseClientMode(true);
        var parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        engine.setSSLParameters(parameters);
        return new ReportingEngine(engine, e -> report("no connection to " + host + ":" + port, e));
    }

    /** Certificates that are refused are reported with more words where that is decided. */
    private void report(String what, SSLException failure) {
        long before = reportedNanos.get();
        long now = System.nanoTime();
        if (!ofCertificate(failure) && now - before >= REPORT_EVERY_NANOS && reportedNanos.compareAndSet(before, now)) {
            LOG.warn("kvasir.tls: {}: {}", what, failure.getMessage());
        }
    }

    private static boolean ofCertificate(@Nullable Throwable failure) {
        return failure != null && (failure instanceof CertificateException || ofCertificate(failure.getCause()));
    }

    @Override
    public Option<Throwable> verifyClientSession(String host, SSLSession session) {
        return Option.empty();
    }

    @Override
    public Option<Throwable> verifyServerSession(String host, SSLSession session) {
        return Option.empty();
    }
}
