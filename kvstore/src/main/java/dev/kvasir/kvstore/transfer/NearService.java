package dev.kvasir.kvstore.transfer;

import com.google.protobuf.ByteString;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.v1.transfer.AttachRequest;
import dev.kvasir.v1.transfer.Attached;
import dev.kvasir.v1.transfer.Format;
import dev.kvasir.v1.transfer.LendRequest;
import dev.kvasir.v1.transfer.Lent;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lets members of the same host read blocks in the memory of a device. Both calls last as long as what they are about: an
 * attachment until the pool is gone, so that its end tells the reader; a loan until the reader ends its call, which it does
 * when it is done, when it gives up and when it dies, or until its time is over.
 */
final class NearService {
    private static final int ATTACHMENTS_MAX = 64;

    /** Most blocks of a loan. */
    private static final int LOAN_BLOCKS_MAX = 4096;

    private final BlockHost host;
    private final TransferService calls;
    private final Duration loanMax;
    private final AtomicInteger attachments = new AtomicInteger();

    NearService(BlockHost host, TransferService calls, Duration loanMax) {
        this.host = host;
        this.calls = calls;
        this.loanMax = loanMax;
    }

    void addTo(ServerServiceDefinition.Builder service) {
        service.addMethod(TransferMethods.attach(), ServerCalls.asyncServerStreamingCall(this::attach))
                .addMethod(TransferMethods.lend(), ServerCalls.asyncServerStreamingCall(this::lend));
    }

    private void attach(AttachRequest request, StreamObserver<Attached> answer) {
        var observer = (ServerCallStreamObserver<Attached>) answer;
        try {
            var near = near(request.getFormat(), request.getIncarnation());
            if (!near.host().equals(request.getHost())) {
                throw Status.FAILED_PRECONDITION
                        .withDescription("it is on another host")
                        .asRuntimeException();
            }
            if (attachments.incrementAndGet() > ATTACHMENTS_MAX) {
                attachments.decrementAndGet();
                throw Status.RESOURCE_EXHAUSTED
                        .withDescription("%d members read its device's memory already".formatted(ATTACHMENTS_MAX))
                        .asRuntimeException();
            }
            observer.setOnCancelHandler(attachments::decrementAndGet);
            observer.onNext(message(near.memory()));
        } catch (IllegalArgumentException e) {
            observer.onError(
                    Status.INVALID_ARGUMENT.withDescription(e.getMessage()).asRuntimeException());
        } catch (RuntimeException e) {
            observer.onError(Status.fromThrowable(e).asRuntimeException());
        }
    }

    private NearBlocks near(Format wire, long incarnation) {
        BlockFormat format = TransferMethods.read(wire);
        calls.requireLife(incarnation);
        var near = host.near(format);
        if (near == null) {
            throw Status.FAILED_PRECONDITION
                    .withDescription("it has no such blocks in a device's memory that others can read")
                    .asRuntimeException();
        }
        return near;
    }

    private static Attached message(NearMemory memory) {
        return Attached.newBuilder()
                .setHandle(ByteString.copyFrom(memory.handle()))
                .setOffset(memory.offset())
                .setLayerBytes(memory.layerBytes())
                .setPieceBytes(memory.pieceBytes())
                .setLayers(memory.layers())
                .setBlocks(memory.blocks())
                .build();
    }

    private void lend(LendRequest request, StreamObserver<Lent> answer) {
        var observer = (ServerCallStreamObserver<Lent>) answer;
        var ended = new CountDownLatch(1);
        observer.setOnCancelHandler(ended::countDown);
        calls.onOwnThread(observer, () -> {
            var near = near(request.getFormat(), request.getIncarnation());
            var hashes = TransferMethods.hashes(request.getHashesList());
            lend(near, hashes.subList(0, Math.min(hashes.size(), LOAN_BLOCKS_MAX)), observer, ended);
        });
    }

    private void lend(
            NearBlocks near, List<BlockHash> hashes, ServerCallStreamObserver<Lent> observer, CountDownLatch ended)
            throws InterruptedException {
        try (var loan = near.lend(hashes, loanMax)) {
            observer.onNext(message(loan.blocks()));
            if (!loan.blocks().isEmpty() && !ended.await(loanMax.toMillis(), TimeUnit.MILLISECONDS)) {
                throw Status.DEADLINE_EXCEEDED
                        .withDescription("the loan took longer than %d ms".formatted(loanMax.toMillis()))
                        .asRuntimeException();
            }
        }
        if (ended.getCount() > 0) {
            observer.onCompleted();
        }
    }

    private static Lent message(List<LentBlock> blocks) {
        var lent = Lent.newBuilder();
        for (var block : blocks) {
            lent.addHashes(block.hash().high())
                    .addHashes(block.hash().low())
                    .addBlocks(block.block())
                    .addChecksums(block.checksum());
        }
        return lent.build();
    }
}
