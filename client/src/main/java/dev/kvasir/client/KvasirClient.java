package dev.kvasir.client;

import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.Sampling;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Deadline;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * A client of a Kvasir cluster. Knows several routers, and needs only one of them to live: requests that did not begin are
 * sent to another, answers that broke off are resumed there. For any number of threads.
 *
 * <p>A request without a seed is given one, so that it can be sent anew with the same outcome when router and worker are
 * lost together.
 */
public final class KvasirClient implements AutoCloseable {
    private static final int ATTEMPTS_MAX = 20;
    private static final long KEEP_ALIVE_SECONDS = 10;
    private static final long KEEP_ALIVE_TIMEOUT_SECONDS = 3;
    private static final Pattern SCHEME = Pattern.compile("^https?://");

    private final Routers routers;

    KvasirClient(Routers routers) {
        this.routers = routers;
    }

    /** A client of routers that ask for no key, in plain text. */
    public static KvasirClient connect(List<String> addresses) {
        return connect(addresses, ConnectionOptions.plain());
    }

    /**
     * A client of these routers. Connections are made when they are needed.
     *
     * @param addresses host:port of the gRPC doors of one or more routers of a cluster; the first is used while it works, so
     *     clients that name them in different orders are spread over them
     */
    public static KvasirClient connect(List<String> addresses, ConnectionOptions options) {
        if (addresses.isEmpty()) {
            throw new IllegalArgumentException("addresses is empty but must name at least one router");
        }
        var channels =
                addresses.stream().map(address -> channel(address, options)).toList();
        return new KvasirClient(new Routers(channels));
    }

    /**
     * A connection to one router's gRPC door, for calls that this client does not make itself.
     *
     * @param address host:port, also after {@code http://} or {@code https://}
     */
    public static ManagedChannel channel(String address, ConnectionOptions options) {
        var target = SCHEME.matcher(address).replaceFirst("");
        return NettyChannelBuilder.forTarget(target, credentials(options))
                .intercept(options.apiKey().map(KvasirClient::showing).stream().toList())
                // A router that is gone without a word is noticed.
                .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
                .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .build();
    }

    private static ChannelCredentials credentials(ConnectionOptions options) {
        if (!options.tls()) {
            return InsecureChannelCredentials.create();
        }
        var tls = TlsChannelCredentials.newBuilder();
        if (options.authority().isPresent()) {
            try {
                tls.trustManager(options.authority().get().toFile());
            } catch (IOException e) {
                throw new UncheckedIOException(options.authority().get() + " cannot be read", e);
            }
        }
        return tls.build();
    }

    private static ClientInterceptor showing(String key) {
        var headers = new Metadata();
        headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + key);
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }

    /** Continues a prompt. The answer is to be closed. */
    public Answer generate(GenerateRequest request, Duration timeout) {
        var seeded =
                request.toBuilder().setSampling(seeded(request.getSampling())).build();
        return answer(router -> router.generate(seeded), timeout);
    }

    /** Answers a conversation. The answer is to be closed. */
    public Answer chat(ChatRequest request, Duration timeout) {
        var seeded =
                request.toBuilder().setSampling(seeded(request.getSampling())).build();
        return answer(router -> router.chat(seeded), timeout);
    }

    private Answer answer(Answer.Opening opening, Duration timeout) {
        return new Answer(routers, opening, Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS), ATTEMPTS_MAX);
    }

    private static Sampling seeded(Sampling sampling) {
        return sampling.hasSeed()
                ? sampling
                : sampling.toBuilder()
                        .setSeed(ThreadLocalRandom.current().nextLong())
                        .build();
    }

    @Override
    public void close() {
        routers.close();
    }
}
