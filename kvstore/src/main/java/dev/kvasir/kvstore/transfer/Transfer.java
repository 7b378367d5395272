package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Checksum;
import dev.kvasir.kvstore.tier.FrameHeader;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.v1.transfer.PullRequest;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A pull of blocks into host memory. Each block lands in a slot that nobody else has, and is held there, for others to find,
 * only after name, life of the holder, format, length and checksum were found to be those asked for. When the transfer is
 * given up, the slot that is being written stays reserved until the call's last callback, so that no late write hits
 * another block. gRPC calls back one at a time.
 */
public final class Transfer {
    private final BlockFormat format;
    private final int formatDigest;
    private final long incarnation;
    private final Deque<BlockHash> expected;
    private final boolean sparse;
    private @Nullable StoredBlock previous;
    private final Map<BlockHash, StoredBlock> arrived = new HashMap<>();
    private final MemoryTier tier;
    private final AtomicInteger received = new AtomicInteger();
    private final CompletableFuture<TransferState> end = new CompletableFuture<>();
    private volatile @Nullable ClientCall<PullRequest, Frame> call;
    private final LongSupplier clock;
    private TransferState state = TransferState.RUNNING;
    private volatile String reason = "";
    private volatile boolean refused;
    private volatile long begunNanos;
    private volatile long firstNanos;
    private volatile long lastNanos;

    Transfer(
            BlockFormat format,
            long incarnation,
            List<BlockHash> hashes,
            boolean sparse,
            MemoryTier tier,
            LongSupplier clock) {
        this.clock = clock;
        this.format = format;
        this.formatDigest = FrameHeader.digest(format);
        this.incarnation = incarnation;
        this.expected = new ArrayDeque<>(hashes);
        this.sparse = sparse;
        this.tier = tier;
    }

    void start(ClientCall<PullRequest, Frame> with, PullRequest request) {
        call = with;
        begunNanos = clock.getAsLong();
        with.start(new Listener(with), new Metadata());
        with.request(2);
        with.sendMessage(request);
        with.halfClose();
    }

    /** It could not be begun. Ends once, whatever the call still says. */
    void fail(RuntimeException cause) {
        end.completeExceptionally(cause);
    }

    private final class Listener extends ClientCall.Listener<Frame> {
        private final ClientCall<PullRequest, Frame> of;

        Listener(ClientCall<PullRequest, Frame> of) {
            this.of = of;
        }

        @Override
        public void onMessage(Frame frame) {
            lastNanos = clock.getAsLong();
            if (received.getAndIncrement() == 0) {
                firstNanos = lastNanos;
            }
            of.request(1);
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            if (!status.isOk()) {
                // What was wrong with a block comes as the cause of gRPC's own complaint.
                var why = status.getCause() instanceof StatusRuntimeException refusal ? refusal.getStatus() : status;
                refused = why.getCode() == Status.Code.DATA_LOSS;
                reason = why.getCode() + (why.getDescription() == null ? "" : ": " + why.getDescription());
            }
            if (received.get() == 0) {
                firstNanos = clock.getAsLong();
                lastNanos = firstNanos;
            }
            end.complete(ended(status.isOk()));
        }
    }

    /** Takes a block's bytes; of gRPC's thread. */
    void land(FrameHeader header, InputStream bytes) throws IOException {
        check(header);
        if (state() != TransferState.RUNNING) {
            throw Status.CANCELLED.withDescription("the transfer was given up").asRuntimeException();
        }
        var reservation = tier.reserve();
        if (reservation == null) {
            throw Status.RESOURCE_EXHAUSTED
                    .withDescription("no room in host memory")
                    .asRuntimeException();
        }
        boolean whole = false;
        try {
            whole = FrameMarshaller.read(bytes, reservation.bytes())
                    && Checksum.of(reservation.bytes()) == header.block().checksum();
        } finally {
            if (whole) {
                reservation.publish(header.block());
            } else {
                reservation.abandon();
            }
        }
        if (!whole) {
            throw Status.DATA_LOSS
                    .withDescription("block %s does not fit its checksum"
                            .formatted(header.block().hash()))
                    .asRuntimeException();
        }
    }

    private void check(FrameHeader header) {
        if (header.incarnation() != incarnation) {
            throw refusal("comes from life %x, not %x".formatted(header.incarnation(), incarnation));
        }
        if (header.formatDigest() != formatDigest || header.length() != format.blockBytes()) {
            throw refusal("is of another format");
        }
        var hash = header.block().hash();
        while (sparse && !expected.isEmpty() && !hash.equals(expected.peek())) {
            expected.remove();
        }
        if (!hash.equals(expected.poll())) {
            throw refusal(hash + " is not the one asked for");
        }
        var block = header.block();
        var parent = block.parent();
        if (parent == null ? block.depth() != 0 || !block.first().equals(hash) : block.depth() == 0) {
            throw refusal(hash + " is neither the first of a chain nor follows another");
        }
        var before = before(parent);
        if (before != null && !follows(block, before)) {
            throw refusal(hash + " does not follow the one before it");
        }
        previous = block;
        arrived.put(hash, block);
    }

    /** What a block has to follow: in a whole chain the one that came before; else its parent, where that is known. */
    private @Nullable StoredBlock before(@Nullable BlockHash parent) {
        if (!sparse || parent == null) {
            return sparse ? null : previous;
        }
        var here = arrived.get(parent);
        return here == null ? tier.block(parent) : here;
    }

    private static boolean follows(StoredBlock block, StoredBlock before) {
        return before.hash().equals(block.parent())
                && before.first().equals(block.first())
                && before.depth() + 1 == block.depth();
    }

    private static RuntimeException refusal(String why) {
        return Status.DATA_LOSS.withDescription("a block " + why).asRuntimeException();
    }

    /** Nobody wants it any more. Returns at once; {@link #end} says when no writer is left. */
    public void giveUp() {
        var of = call;
        if (giveUpIfRunning() && of != null) {
            of.cancel("given up", null);
        }
    }

    private synchronized boolean giveUpIfRunning() {
        boolean running = state == TransferState.RUNNING;
        state = state.givenUp();
        return running;
    }

    private synchronized TransferState ended(boolean complete) {
        state = state.ended(complete);
        return state;
    }

    public synchronized TransferState state() {
        return state;
    }

    /** Has {@code action} run after the end. */
    public void whenEnded(Runnable action) {
        var _ = end.handle((endState, failure) -> {
            action.run();
            return endState;
        });
    }

    /** Blocks that came so far, verified. */
    public int received() {
        return received.get();
    }

    /** From its begin until its first block, or its end where there was none; to be asked after the end. */
    public long setupNanos() {
        return firstNanos - begunNanos;
    }

    /** From its first block to its last. */
    public long streamNanos() {
        return lastNanos - firstNanos;
    }

    /** Why it failed; empty where it did not. */
    public String reason() {
        return reason;
    }

    /** Whether it failed since a block was not what it had to be; to be asked after the end. */
    public boolean refused() {
        return refused;
    }

    /** Completes, with a state that is quiet, when no writer is left. */
    public CompletableFuture<TransferState> end() {
        return end;
    }
}
