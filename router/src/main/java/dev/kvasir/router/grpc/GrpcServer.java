package dev.kvasir.router.grpc;

import dev.kvasir.router.Access;
import dev.kvasir.router.ClusterStatus;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.RouterConfig;
import dev.kvasir.v1.InferenceGrpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.TlsServerCredentials;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The gRPC door: the inference API, health and reflection behind one port, every limit set. Where keys are
 * asked for, health alone needs none. Its health is NOT_SERVING
 * until some model has a worker, and again, for good, once it drains.
 */
public final class GrpcServer implements AutoCloseable {
    /** Resets that one connection may send in ten seconds; clients that cancel a lot stay below (CVE-2023-44487). */
    private static final int RESETS_PER_WINDOW_MAX = 2000;

    private static final int RESET_WINDOW_SECONDS = 10;

    private final Server server;
    private final HealthStatusManager health;
    private final Frontend frontend;
    private final AtomicBoolean draining = new AtomicBoolean();

    private GrpcServer(Server server, HealthStatusManager health, Frontend frontend) {
        this.server = server;
        this.health = health;
        this.frontend = frontend;
    }

    /** Binds to the configured host and port. */
    public static GrpcServer start(Frontend frontend) {
        var config = frontend.config();
        var health = new HealthStatusManager();
        frontend.status().onChange(status -> report(status, frontend, health));
        var callers = new Callers(frontend.access());
        var service = ServerInterceptors.intercept(
                ServerInterceptors.useInputStreamMessages(new InferenceService(frontend).bindService()),
                new BadMessages(),
                callers);
        var server = limited(config, frontend.access())
                .executor(Executors.newThreadPerTaskExecutor(
                        Thread.ofVirtual().name("grpc-", 0).factory()))
                .addService(service)
                .addService(ServerInterceptors.intercept(
                        new AdminService(frontend), new OperatorsOnly(config.remoteAdmin()), callers))
                .addService(health.getHealthService())
                .addService(ServerInterceptors.intercept(ProtoReflectionServiceV1.newInstance(), callers))
                .build();
        try {
            server.start();
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "cannot listen for gRPC on %s:%d: %s".formatted(config.host(), config.grpcPort(), e.getMessage()),
                    e);
        }
        return new GrpcServer(server, health, frontend);
    }

    private static NettyServerBuilder limited(RouterConfig config, Access access) {
        var credentials = access.certificates()
                .map(own -> TlsServerCredentials.newBuilder()
                        .keyManager(own.keyManager())
                        .build())
                .orElseGet(InsecureServerCredentials::create);
        var builder = NettyServerBuilder.forAddress(
                        new InetSocketAddress(config.host(), config.grpcPort()), credentials)
                .maxInboundMessageSize(config.messageBytesMax())
                .maxInboundMetadataSize(config.metadataBytesMax())
                .maxConcurrentCallsPerConnection(config.callsPerConnectionMax())
                .maxRstFramesPerWindow(RESETS_PER_WINDOW_MAX, RESET_WINDOW_SECONDS)
                .permitKeepAliveTime(config.keepAliveTimeMin().toMillis(), TimeUnit.MILLISECONDS)
                .permitKeepAliveWithoutCalls(true)
                .handshakeTimeout(config.handshakeTimeout().toMillis(), TimeUnit.MILLISECONDS);
        return config.connectionAgeMax().isZero()
                ? builder
                : builder.maxConnectionAge(config.connectionAgeMax().toMillis(), TimeUnit.MILLISECONDS)
                        .maxConnectionAgeGrace(config.requestTimeoutMax().toMillis(), TimeUnit.MILLISECONDS);
    }

    private static void report(ClusterStatus status, Frontend frontend, HealthStatusManager health) {
        boolean serving = !frontend.draining() && frontend.models().stream().anyMatch(status::serving);
        var now = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
        health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, now);
        health.setStatus(InferenceGrpc.SERVICE_NAME, now);
    }

    public int port() {
        return server.getPort();
    }

    /** Tells load balancers to look elsewhere; calls are still answered. The first step of a drain. */
    public void drain() {
        if (draining.compareAndSet(false, true)) {
            health.enterTerminalState();
        }
    }

    /** Takes no more calls, lets those at hand end for the time that the configuration gives, then ends them. */
    @Override
    public void close() {
        drain();
        server.shutdown();
        try {
            if (!server.awaitTermination(frontend.config().drainTimeout().toMillis(), TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(1, TimeUnit.SECONDS);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            server.shutdownNow();
        }
    }
}
