package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.FrameHeader;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.v1.transfer.OfferRequest;
import dev.kvasir.v1.transfer.OfferResult;
import dev.kvasir.v1.transfer.PullRequest;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives blocks to members that pull them, each pinned while it is sent; and, where there is a client for it, pulls what it
 * is offered; and lends those of a device to members of its host. Each call has a virtual thread, so that it may wait for its reader; the number of calls is bounded.
 */
public final class TransferService {
    private static final Logger LOG = LoggerFactory.getLogger(TransferService.class);
    private static final int WINDOW_BYTES = 32 << 20;
    private static final int WINDOW_BLOCKS_MAX = 512;
    private static final long SLOW_READER_MILLIS = 10_000;
    private static final Duration OFFER_TIMEOUT = Duration.ofSeconds(30);

    private final BlockHost host;
    private final Optional<TransferClient> taker;
    private final Semaphore permits;
    private final long serveMillis;
    private final NearService near;

    /**
     * Blocks of {@code host}; offers are taken only where there is a {@code taker} to pull with.
     *
     * @param serveMax longest time that one pull is served
     */
    public TransferService(BlockHost host, Optional<TransferClient> taker, int transfersMax, Duration serveMax) {
        this.host = host;
        this.taker = taker;
        this.permits = new Semaphore(transfersMax);
        this.serveMillis = serveMax.toMillis();
        this.near = new NearService(host, this, serveMax);
    }

    /** For a gRPC server. */
    public ServerServiceDefinition definition() {
        var service = ServerServiceDefinition.builder(TransferMethods.SERVICE)
                .addMethod(
                        TransferMethods.pull(FrameMarshaller.NOWHERE), ServerCalls.asyncServerStreamingCall(this::pull))
                .addMethod(TransferMethods.offer(), ServerCalls.asyncUnaryCall(this::offer));
        near.addTo(service);
        return service.build();
    }

    interface Work {
        void run() throws InterruptedException;
    }

    void onOwnThread(StreamObserver<?> observer, Work work) {
        if (!permits.tryAcquire()) {
            observer.onError(Status.RESOURCE_EXHAUSTED
                    .withDescription("too many transfers are under way")
                    .asRuntimeException());
            return;
        }
        Thread.ofVirtual().name("kvasir-transfer").start(() -> {
            try {
                work.run();
            } catch (IllegalArgumentException e) {
                observer.onError(
                        Status.INVALID_ARGUMENT.withDescription(e.getMessage()).asRuntimeException());
            } catch (InterruptedException | RuntimeException e) {
                LOG.debug("A transfer failed", e);
                observer.onError(Status.fromThrowable(e).asRuntimeException());
            } finally {
                permits.release();
            }
        });
    }

    private void pull(PullRequest request, StreamObserver<Frame> answer) {
        var observer = (ServerCallStreamObserver<Frame>) answer;
        var readiness = new Readiness(observer, serveMillis);
        onOwnThread(observer, () -> send(request, observer, readiness));
    }

    private void send(PullRequest request, ServerCallStreamObserver<Frame> observer, Readiness readiness)
            throws InterruptedException {
        var format = TransferMethods.read(request.getFormat());
        var hashes = TransferMethods.hashes(request.getHashesList());
        requireLife(request.getIncarnation());
        var tier = host.tier(format);
        boolean more = tier != null;
        int size = Math.clamp(WINDOW_BYTES / format.blockBytes(), 1, WINDOW_BLOCKS_MAX);
        for (int from = 0; tier != null && more && from < hashes.size(); from += size) {
            var window = hashes.subList(from, Math.min(from + size, hashes.size()));
            host.bring(format, window);
            more = send(window, format, tier, request.getSparse(), observer, readiness);
        }
        observer.onCompleted();
    }

    /** Only the life of the member that was meant answers. */
    void requireLife(long incarnation) {
        if (incarnation != host.incarnation()) {
            throw Status.FAILED_PRECONDITION
                    .withDescription("life %x is asked, this is %x".formatted(incarnation, host.incarnation()))
                    .asRuntimeException();
        }
    }

    private boolean send(
            List<BlockHash> window,
            BlockFormat format,
            MemoryTier tier,
            boolean sparse,
            ServerCallStreamObserver<Frame> observer,
            Readiness readiness)
            throws InterruptedException {
        for (var hash : window) {
            readiness.await();
            try (var pin = tier.pin(hash)) {
                boolean sound = pin != null && pin.verify();
                if (pin == null || !sound) {
                    if (!sparse) {
                        return false;
                    }
                    continue;
                }
                observer.onNext(new Frame(FrameHeader.of(format, host.incarnation(), pin.block()), pin.bytes()));
            }
        }
        return true;
    }

    /** Lets a sender wait until gRPC has room for another message. */
    private static final class Readiness {
        private final ServerCallStreamObserver<?> observer;
        private final Semaphore changed = new Semaphore(0);
        private final long limitMillis;
        private final long beganNanos = System.nanoTime();

        Readiness(ServerCallStreamObserver<?> observer, long limitMillis) {
            this.observer = observer;
            this.limitMillis = limitMillis;
            observer.setOnReadyHandler(changed::release);
            observer.setOnCancelHandler(changed::release);
        }

        void await() throws InterruptedException {
            long left = left();
            while (!observer.isReady()) {
                if (observer.isCancelled()) {
                    throw Status.CANCELLED
                            .withDescription("the reader has gone")
                            .asRuntimeException();
                }
                if (!changed.tryAcquire(Math.min(left, SLOW_READER_MILLIS), TimeUnit.MILLISECONDS)
                        && left > SLOW_READER_MILLIS) {
                    throw Status.DEADLINE_EXCEEDED
                            .withDescription("the reader took nothing for %d ms".formatted(SLOW_READER_MILLIS))
                            .asRuntimeException();
                }
                left = left();
            }
        }

        /** Time that the pull may still take. */
        private long left() {
            long left = limitMillis - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beganNanos);
            if (left <= 0) {
                throw Status.DEADLINE_EXCEEDED
                        .withDescription("the pull took longer than %d ms".formatted(limitMillis))
                        .asRuntimeException();
            }
            return left;
        }
    }

    private void offer(OfferRequest request, StreamObserver<OfferResult> observer) {
        onOwnThread(observer, () -> {
            int held = take(request);
            observer.onNext(OfferResult.newBuilder().setHeld(held).build());
            observer.onCompleted();
        });
    }

    private int take(OfferRequest request) throws InterruptedException {
        var format = TransferMethods.read(request.getFormat());
        var hashes = TransferMethods.hashes(request.getHashesList());
        checkAddress(request.getTransferAddress());
        var tier = taker.isPresent() && !hashes.isEmpty() ? host.taking(format) : null;
        if (tier == null) {
            return 0;
        }
        var lacking = hashes.stream().filter(hash -> !tier.touch(hash)).toList();
        if (!lacking.isEmpty()) {
            var transfer = taker.get()
                    .pull(
                            request.getTransferAddress(),
                            request.getIncarnation(),
                            format,
                            lacking,
                            true,
                            tier,
                            OFFER_TIMEOUT);
            if (transfer == null) {
                throw Status.RESOURCE_EXHAUSTED
                        .withDescription("too many transfers are under way")
                        .asRuntimeException();
            }
            await(transfer);
        }
        return (int) hashes.stream().filter(tier::contains).count();
    }

    private static void checkAddress(String address) {
        if (address.isEmpty() || address.length() > KvSource.ADDRESS_MAX) {
            throw new IllegalArgumentException("transfer_address has %d characters but must have 1..%d"
                    .formatted(address.length(), KvSource.ADDRESS_MAX));
        }
    }

    private static void await(Transfer transfer) throws InterruptedException {
        try {
            transfer.end().get(OFFER_TIMEOUT.toMillis() + 1_000, TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("A transfer did not end well", e);
            transfer.giveUp();
        }
    }
}
