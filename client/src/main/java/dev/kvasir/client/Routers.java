package dev.kvasir.client;

import dev.kvasir.v1.InferenceGrpc;
import io.grpc.ManagedChannel;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Connections to several routers, and which of them to use: the same one until it fails. */
final class Routers implements AutoCloseable {
    private final List<ManagedChannel> channels;
    private final AtomicInteger turn = new AtomicInteger();

    Routers(List<ManagedChannel> channels) {
        this.channels = List.copyOf(channels);
    }

    InferenceGrpc.InferenceBlockingStub current() {
        return InferenceGrpc.newBlockingStub(channels.get(Math.floorMod(turn.get(), channels.size())));
    }

    /** The one in use has failed: the next one's turn. */
    void avoid() {
        turn.incrementAndGet();
    }

    @Override
    public void close() {
        channels.forEach(ManagedChannel::shutdownNow);
    }
}
