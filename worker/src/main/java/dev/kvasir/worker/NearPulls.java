package dev.kvasir.worker;

import dev.kvasir.kvstore.block.BlockLoans.Loan;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.transfer.LentBlock;
import dev.kvasir.kvstore.transfer.NearCalls;
import dev.kvasir.kvstore.transfer.TransferState;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.kernel.NearKv;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Brings blocks of workers of the same host from their device's memory into this one's pool. Blocks are reserved for them, which
 * nobody else has; the other worker lends its own; the device copies and makes checksums of what has come; what is as it was there
 * becomes known. Reservations end when no copy is at work any more, however late that is. Its calls block.
 */
final class NearPulls {
    /** At a time; the rest follows. */
    private static final int BLOCKS_MAX = 1024;

    private final NearCalls calls;
    private final Neighbours neighbours;
    private final NearThread thread;
    private final EngineBlocks engine;
    private final LongSupplier clock;
    private final AtomicLong blocks = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    NearPulls(NearCalls calls, Neighbours neighbours, NearThread thread, EngineBlocks engine, LongSupplier clock) {
        this.calls = calls;
        this.neighbours = neighbours;
        this.thread = thread;
        this.engine = engine;
        this.clock = clock;
    }

    /**
     * What a pull came to.
     *
     * @param state DONE where all that the other has on its device has come, and others may be asked for the rest; ABORTED
     *     where nobody wants it any more
     * @param reached blocks of the chain that the device has now, or had before
     * @param blocks that came, verified
     * @param setupNanos until the first copy was begun
     * @param copyNanos in copies
     */
    record Brought(TransferState state, int reached, int blocks, long setupNanos, long copyNanos) {}

    Neighbours neighbours() {
        return neighbours;
    }

    /** Blocks that came this way. */
    long blocks() {
        return blocks.get();
    }

    /** Blocks that were not what they were when they were lent. */
    long refused() {
        return refused.get();
    }

    /**
     * Brings those of a chain that are not known here, as far as the source has them; null where it is no neighbour, or not
     * known as one yet.
     */
    @Nullable
    Brought bring(KvSource source, List<BlockHash> chain, Duration timeout, BooleanSupplier unwanted)
            throws InterruptedException {
        return neighbours.standing(source) instanceof Neighbours.Near near
                ? new Bringing(source, chain, near.window(), clock.getAsLong(), timeout, unwanted).run()
                : null;
    }

    private final class Bringing {
        private final KvSource source;
        private final List<BlockHash> chain;
        private final NearKv.Window window;
        private final long beganNanos;
        private final long timeoutNanos;
        private final BooleanSupplier unwanted;
        private int reached;
        private int brought;
        private long setupNanos;
        private long copyNanos;

        Bringing(
                KvSource source,
                List<BlockHash> chain,
                NearKv.Window window,
                long beganNanos,
                Duration timeout,
                BooleanSupplier unwanted) {
            this.source = source;
            this.chain = chain;
            this.window = window;
            this.beganNanos = beganNanos;
            this.timeoutNanos = timeout.toNanos();
            this.unwanted = unwanted;
        }

        Brought run() throws InterruptedException {
            var state = TransferState.RUNNING;
            while (state == TransferState.RUNNING) {
                state = unwanted.getAsBoolean() ? state.givenUp().ended(false) : part();
            }
            if (setupNanos == 0) {
                setupNanos = clock.getAsLong() - beganNanos;
            }
            return new Brought(state, reached, brought, setupNanos, copyNanos);
        }

        private long millisLeft() {
            return TimeUnit.NANOSECONDS.toMillis(timeoutNanos - (clock.getAsLong() - beganNanos));
        }

        /** RUNNING where more may follow. */
        private TransferState part() throws InterruptedException {
            long millis = millisLeft();
            var loan = millis <= 0 ? null : engine.reserve(chain, BLOCKS_MAX, millis);
            if (loan == null) {
                return TransferState.RUNNING.ended(millis > 0);
            }
            reached = loan.first();
            if (reached == chain.size()) {
                return TransferState.DONE; // Somebody else has brought it.
            }
            boolean copying = false;
            try (var borrowed = calls.borrow(
                    source.transferAddress(),
                    source.incarnation(),
                    loan.hashes(),
                    Duration.ofMillis(Math.max(1, millisLeft())))) {
                if (borrowed.blocks().isEmpty()) {
                    return TransferState.DONE;
                }
                copying = true;
                return copy(loan, borrowed);
            } catch (RuntimeException _) {
                return TransferState.FAILED; // It has gone, or refuses: what was reserved goes back.
            } finally {
                if (!copying) {
                    engine.giveBack(loan);
                }
            }
        }

        private TransferState copy(Loan loan, NearCalls.Borrowed borrowed) throws InterruptedException {
            var lent = borrowed.blocks();
            int count = lent.size();
            int[] theirs = lent.stream().mapToInt(LentBlock::block).toArray();
            int[] own = Arrays.copyOf(loan.blocks(), count);
            long begin = clock.getAsLong();
            setupNanos = setupNanos == 0 ? begin - beganNanos : setupNanos;
            var copy = thread.call(() -> window.pull(theirs, own));
            try {
                var sums = copy.get(Math.max(1, millisLeft()), TimeUnit.MILLISECONDS);
                copyNanos += clock.getAsLong() - begin;
                return take(loan, borrowed, verified(lent, sums));
            } catch (TimeoutException | InterruptedException e) {
                // The device may still write to the blocks: they are given back when it is done.
                var _ = copy.whenComplete((sums, failure) -> engine.giveBack(loan));
                if (e instanceof InterruptedException interrupted) {
                    throw interrupted;
                }
                return TransferState.FAILED;
            } catch (ExecutionException e) {
                engine.giveBack(loan);
                neighbours.failed(source, e.getCause() == null ? e : e.getCause());
                return TransferState.FAILED;
            }
        }

        private int verified(List<LentBlock> lent, long[] sums) {
            for (int i = 0; i < sums.length; i++) {
                if (sums[i] != lent.get(i).checksum()) {
                    refused.incrementAndGet();
                    return i;
                }
            }
            return sums.length;
        }

        /** What has come is known before this returns. More may follow where all of it was as it had to be. */
        private TransferState take(Loan loan, NearCalls.Borrowed borrowed, int verified) throws InterruptedException {
            boolean held = borrowed.isHeld();
            var committed = new CompletableFuture<Boolean>();
            engine.commit(loan, verified, () -> committed.complete(true));
            try {
                committed.get(Math.max(1, millisLeft()), TimeUnit.MILLISECONDS);
            } catch (TimeoutException | ExecutionException _) {
                return TransferState.FAILED; // Known a little later.
            }
            reached = loan.first() + verified;
            brought += verified;
            blocks.addAndGet(verified);
            return held && verified == borrowed.blocks().size() ? TransferState.RUNNING : TransferState.FAILED;
        }
    }
}
