package dev.kvasir.deploy;

import dev.kvasir.protocol.tls.Certificates;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;
import org.apache.pekko.remote.artery.tcp.SSLEngineProvider;
import scala.Option;

/**
 * TLS of the cluster's port. Both sides show certificates of one authority, and the side that connects checks that the
 * other's names the address that it connects to. Each connection takes the certificates of its time; those that are open
 * go on whatever becomes of theirs.
 */
final class ClusterTls implements SSLEngineProvider {
    private static final String[] PROTOCOLS = {"TLSv1.3"};

    private final Certificates certificates;

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
        return engine;
    }

    @Override
    public SSLEngine createClientSSLEngine(String host, int port) {
        var engine = certificates.context().createSSLEngine(host, port);
        engine.setUseClientMode(true);
        var parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        engine.setSSLParameters(parameters);
        return engine;
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
