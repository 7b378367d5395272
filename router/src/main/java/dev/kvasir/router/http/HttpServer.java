package dev.kvasir.router.http;

import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.router.Frontend;
import io.helidon.common.tls.Tls;
import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.ServerResponseHeaders;
import io.helidon.http.Status;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP door: OpenAI's API over HTTP/1.1 on virtual threads. Owns the port, the connections and one thread that cuts
 * those whose client does not read. Stops in two steps: {@link #drain} waits for what is being answered, {@link #close}
 * does not.
 */
public final class HttpServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpServer.class);
    /**
     * How long headers, or a part of a body, may take to arrive, and an idle connection may stay: longer than the 60 seconds of
     * most load balancers, who else send a request into a connection that is just being closed.
     */
    private static final Duration READ_TIMEOUT = Duration.ofSeconds(75);

    private static final int REQUEST_LINE_MAX = 8192;

    private final WebServer server;
    private final OpenExchanges open;
    private final CountDownLatch stopped = new CountDownLatch(1);

    private HttpServer(WebServer server, OpenExchanges open) {
        this.server = server;
        this.open = open;
    }

    /** Starts with the usual time limit for reading. */
    public static HttpServer start(
            Frontend frontend, PrometheusRegistry registry, String version, InstantSource clock) {
        return start(frontend, registry, version, clock, READ_TIMEOUT);
    }

    /**
     * Starts to serve at the frontend's configured address.
     *
     * @param registry what {@code /metrics} shows besides the JVM's metrics
     * @param version what {@code /version} shows
     * @param readTimeout how long a client may take to send the next bytes of a request
     */
    static HttpServer start(
            Frontend frontend, PrometheusRegistry registry, String version, InstantSource clock, Duration readTimeout) {
        var config = frontend.config();
        var open = new OpenExchanges();
        var routes = new Routes(
                new GenerationRoutes(frontend, clock),
                new TextRoutes(frontend, clock.instant().getEpochSecond()),
                new StatusRoutes(frontend, version, registry),
                frontend.access(),
                open,
                config.messageBytesMax());
        int requestLineMax = Math.min(config.metadataBytesMax(), REQUEST_LINE_MAX);
        var http = Http1Config.builder()
                .maxHeadersSize(config.metadataBytesMax())
                .maxPrologueLength(requestLineMax)
                .validatePath(true)
                .build();
        var connections = new ClientConnections(
                Http1ConnectionSelector.builder().config(http).build(), readTimeout);
        var builder = WebServer.builder();
        frontend.access().certificates().ifPresent(own -> builder.tls(tls(own)));
        var server = builder.host(config.host())
                .port(config.httpPort())
                .addConnectionSelector(connections)
                .protocolsDiscoverServices(false)
                .connectionOptions(
                        c -> c.readTimeout(Duration.ZERO).tcpNoDelay(true)) // Connections time reads themselves.
                .idleConnectionTimeout(config.requestTimeoutMax().plus(readTimeout))
                .shutdownHook(false)
                .contentEncoding(encoding ->
                        encoding.contentEncodingsDiscoverServices(false).addContentEncoding(new Gzip()))
                .directHandlers(errorsAsJson(new MalformedRequest(requestLineMax, config.metadataBytesMax())))
                .routing(routes::register)
                .build()
                .start();
        var door = new HttpServer(server, open);
        door.cutStuckConnections(connections, config.slowReaderTimeout());
        LOG.info("HTTP door is open at {}:{}", config.host(), server.port());
        return door;
    }

    private static Tls tls(Certificates own) {
        try {
            var context = SSLContext.getInstance("TLS");
            context.init(new KeyManager[] {own.keyManager()}, null, null);
            return Tls.builder().sslContext(context).build();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("TLS is of no use here", e);
        }
    }

    public int port() {
        return server.port();
    }

    /** Waits until nothing is being answered any more; the frontend must have been told to take nothing new. */
    public boolean drain(Duration timeout) throws InterruptedException {
        return open.awaitNone(timeout);
    }

    @Override
    public void close() {
        stopped.countDown();
        server.stop();
    }

    private void cutStuckConnections(ClientConnections connections, Duration limit) {
        Thread.ofVirtual().name("http-slow-readers").start(() -> {
            try {
                while (!stopped.await(Math.max(10, limit.toMillis() / 4), TimeUnit.MILLISECONDS)) {
                    connections.cutStuck(limit);
                }
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    /** What the server refuses before any route sees it: malformed HTTP, headers or bodies over a limit. */
    private static DirectHandlers errorsAsJson(MalformedRequest malformed) {
        var handlers = DirectHandlers.builder();
        for (var event : DirectHandler.EventType.values()) {
            handlers.addHandler(
                    event,
                    (request, type, status, headers, message) -> asJson(
                            malformed.refusal(
                                    request,
                                    type,
                                    status,
                                    message,
                                    ClientConnection.current().requestBytes()),
                            headers));
        }
        return handlers.build();
    }

    private static DirectHandler.TransportResponse asJson(HttpRefusal refusal, ServerResponseHeaders headers) {
        return DirectHandler.TransportResponse.builder()
                .status(Status.create(refusal.status()))
                .headers(headers)
                .header(HeaderNames.CONTENT_TYPE, "application/json")
                .keepAlive(false)
                .entity(Json.bytes(refusal.body()))
                .build();
    }
}
