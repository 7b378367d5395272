package dev.kvasir.client;

import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.Sampling;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

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

    private final Routers routers;

    KvasirClient(Routers routers) {
        this.routers = routers;
    }

    /**
     * A client of these routers. Connections are made when they are needed, without TLS.
     *
     * @param addresses host:port of the gRPC doors of one or more routers of a cluster; the first is used while it works, so
     *     clients that name them in different orders are spread over them
     */
    public static KvasirClient connect(List<String> addresses) {
        if (addresses.isEmpty()) {
            throw new IllegalArgumentException("addresses is empty but must name at least one router");
        }
        var channels = addresses.stream().map(KvasirClient::channel).toList();
        return new KvasirClient(new Routers(channels));
    }

    private static ManagedChannel channel(String address) {
        return NettyChannelBuilder.forTarget(address)
                .usePlaintext()
                // A router that is gone without a word is noticed.
                .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS)
                .keepAliveTimeout(KEEP_ALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .build();
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
