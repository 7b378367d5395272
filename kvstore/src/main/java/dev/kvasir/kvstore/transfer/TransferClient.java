package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.FrameHeader;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.v1.transfer.OfferRequest;
import dev.kvasir.v1.transfer.OfferResult;
import io.grpc.CallOptions;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Pulls blocks from other members and offers them some. Thread-safe; bounded in transfers under way and in connections. */
public final class TransferClient implements AutoCloseable {
    /** Most blocks of a transfer. */
    public static final int BLOCKS_MAX = TransferMethods.BLOCKS_MAX;

    private static final int CHANNELS_MAX = 256;

    private final Function<String, ManagedChannel> connect;
    private final Semaphore permits;
    private final Deadline.Ticker clock;
    private final Map<String, ManagedChannel> channels = new LinkedHashMap<>(16, 0.75f, true);
    private final AtomicLong refused = new AtomicLong();
    private boolean closed;

    /**
     * A client without connections.
     *
     * @param connect makes a channel to host:port
     * @param transfersMax that may be under way at a time
     */
    public TransferClient(Function<String, ManagedChannel> connect, int transfersMax) {
        this(connect, transfersMax, Deadline.getSystemTicker());
    }

    /** The same with a clock of its own, which gRPC itself does not know: for simulations. */
    public TransferClient(Function<String, ManagedChannel> connect, int transfersMax, Deadline.Ticker clock) {
        this.clock = clock;
        this.connect = connect;
        this.permits = new Semaphore(transfersMax);
    }

    /**
     * Begins to pull blocks into {@code tier}; null where too many transfers are under way.
     *
     * @param incarnation the life of the member that is meant
     * @param hashes those of a chain in order, at most {@link #BLOCKS_MAX}
     * @param sparse whether to go on after a block that the member does not have
     */
    public @Nullable Transfer pull(
            String address,
            long incarnation,
            BlockFormat format,
            List<BlockHash> hashes,
            boolean sparse,
            MemoryTier tier,
            Duration timeout) {
        if (!permits.tryAcquire()) {
            return null;
        }
        var transfer = new Transfer(format, incarnation, hashes, sparse, tier, clock::nanoTime);
        transfer.whenEnded(() -> {
            permits.release();
            if (transfer.refused()) {
                refused.incrementAndGet();
            }
        });
        try {
            var call = channel(address)
                    .newCall(
                            TransferMethods.pull(transfer::land),
                            CallOptions.DEFAULT
                                    .withDeadline(Deadline.after(timeout.toMillis(), TimeUnit.MILLISECONDS, clock))
                                    .withMaxInboundMessageSize(format.blockBytes() + FrameHeader.BYTES));
            transfer.start(call, TransferMethods.request(format, incarnation, hashes, sparse));
            return transfer;
        } catch (RuntimeException e) {
            transfer.fail(e);
            throw e;
        }
    }

    /**
     * Offers blocks to a member, which pulls those that it wants. Completes with how many of them it holds then.
     *
     * @param from host:port of this member's transfer service
     */
    public CompletableFuture<Integer> offer(
            String address,
            String from,
            long incarnation,
            BlockFormat format,
            List<BlockHash> hashes,
            Duration timeout) {
        var request = OfferRequest.newBuilder()
                .setFormat(TransferMethods.write(format))
                .setIncarnation(incarnation)
                .setTransferAddress(from);
        hashes.forEach(hash -> request.addHashes(hash.high()).addHashes(hash.low()));
        var call = channel(address)
                .newCall(
                        TransferMethods.offer(),
                        CallOptions.DEFAULT.withDeadline(
                                Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS, clock)));
        var held = new CompletableFuture<Integer>();
        ClientCalls.asyncUnaryCall(call, request.build(), new StreamObserver<OfferResult>() {
            @Override
            public void onNext(OfferResult result) {
                held.complete(Math.clamp(result.getHeld(), 0, hashes.size()));
            }

            @Override
            public void onError(Throwable failure) {
                held.completeExceptionally(failure);
            }

            @Override
            public void onCompleted() {
                held.completeExceptionally(Status.INTERNAL
                        .withDescription("the offer was answered with nothing")
                        .asRuntimeException());
            }
        });
        return held;
    }

    /** Pulls that ended with a block that was damaged, or another than the one asked for. */
    public long refused() {
        return refused.get();
    }

    ManagedChannel channel(String address) {
        synchronized (channels) {
            if (closed) {
                throw new IllegalStateException("the transfer client is closed");
            }
            var channel = channels.computeIfAbsent(address, connect);
            if (channels.size() > CHANNELS_MAX) {
                Iterator<ManagedChannel> oldest = channels.values().iterator();
                oldest.next().shutdown();
                oldest.remove();
            }
            return channel;
        }
    }

    @Override
    public void close() {
        synchronized (channels) {
            closed = true;
            channels.values().forEach(ManagedChannel::shutdownNow);
            channels.clear();
        }
    }
}
