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

    /** A router while it is in use. */
    record Turn(int number, InferenceGrpc.InferenceBlockingStub router) {}

    Turn current() {
        int number = turn.get();
        return new Turn(number, InferenceGrpc.newBlockingStub(channels.get(Math.floorMod(number, channels.size()))));
    }

    /** One has failed: the next one's turn, once for all whose streams were there. */
    void avoid(Turn failed) {
        turn.compareAndSet(failed.number(), failed.number() + 1);
    }

    @Override
    public void close() {
        channels.forEach(ManagedChannel::shutdownNow);
    }
}
