package dev.kvasir.kvstore.transfer;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The data plane's port. */
public final class TransferServer implements AutoCloseable {
    private static final int REQUEST_BYTES_MAX = 2 << 20;
    private static final int WINDOW_BYTES = 4 << 20;
    private static final int CALLS_MAX = 256;
    private static final int CLOSE_SECONDS = 2;

    private final Server server;
    private final ExecutorService executor;

    private TransferServer(Server server, ExecutorService executor) {
        this.server = server;
        this.executor = executor;
    }

    /** Listens on {@code host}, in plain text; port 0 takes a free one. */
    public static TransferServer start(String host, int port, TransferService service) {
        return start(TransferSettings.at(host), port, service);
    }

    /** Listens where settings say; port 0 takes a free one. */
    public static TransferServer start(TransferSettings at, int port, TransferService service) {
        var host = at.listenHost();
        var executor = Executors.newVirtualThreadPerTaskExecutor();
        try {
            var server = NettyServerBuilder.forAddress(new InetSocketAddress(host, port), at.serverCredentials())
                    .executor(executor)
                    .addService(service.definition())
                    .maxInboundMessageSize(REQUEST_BYTES_MAX)
                    .flowControlWindow(WINDOW_BYTES)
                    .maxConcurrentCallsPerConnection(CALLS_MAX)
                    .permitKeepAliveTime(10, TimeUnit.SECONDS)
                    .permitKeepAliveWithoutCalls(true)
                    .build()
                    .start();
            return new TransferServer(server, executor);
        } catch (IOException e) {
            executor.close();
            throw new UncheckedIOException("cannot listen for KV transfer on %s:%d".formatted(host, port), e);
        }
    }

    /** A channel to such a server of another member, host:port, in plain text. */
    public static ManagedChannel connect(String address) {
        return connect(address, InsecureChannelCredentials.create());
    }

    static ManagedChannel connect(String address, ChannelCredentials credentials) {
        // The brackets of IPv6 addresses are none of a path's characters.
        var target = "dns:///" + address.replace("[", "%5B").replace("]", "%5D");
        return NettyChannelBuilder.forTarget(target, credentials)
                .flowControlWindow(WINDOW_BYTES)
                .keepAliveTime(15, TimeUnit.SECONDS)
                .build();
    }

    public int port() {
        return server.getPort();
    }

    @Override
    public void close() {
        server.shutdownNow();
        try {
            // What ends with the last connection still needs the executor.
            server.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        executor.close();
    }
}
