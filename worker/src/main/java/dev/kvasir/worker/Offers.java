package dev.kvasir.worker;

import dev.kvasir.kvstore.actor.StoreDirectory;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.SharedBlocks;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Offers blocks to kvstores of other members, which pull those that they want: makes the calls that an {@link OfferQueue}
 * decides upon, in the background.
 */
final class Offers implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Offers.class);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final Duration MARGIN = Duration.ofMillis(500);

    private final TransferClient client;
    private final BlockFormat format;
    private final StoreDirectory stores;
    private final OfferQueue queue = OfferQueue.background();
    private volatile @Nullable OfferQueue leaving;
    private volatile @Nullable Holder own;
    private volatile boolean closed;
    private volatile @Nullable Thread thread;

    Offers(TransferClient client, BlockFormat format, StoreDirectory stores) {
        this.client = client;
        this.format = format;
        this.stores = stores;
    }

    /** Whose blocks these are. */
    void from(Holder holder) {
        own = holder;
    }

    /** What the engine's blocks are offered for, as settings say. */
    SharedBlocks.Offering of(SharingConfig config) {
        return switch (config.offer()) {
            case NONE -> SharedBlocks.Offering.NONE;
            case COPIED ->
                new SharedBlocks.Offering() {
                    @Override
                    public void copied(BlockHash place, BlockHash hash) {
                        add(place, hash);
                    }

                    @Override
                    public void completed(BlockHash place, BlockHash hash) {}
                };
            case ALL ->
                new SharedBlocks.Offering() {
                    @Override
                    public void copied(BlockHash place, BlockHash hash) {}

                    @Override
                    public void completed(BlockHash place, BlockHash hash) {
                        add(place, hash);
                    }
                };
        };
    }

    private void add(BlockHash place, BlockHash hash) {
        if (!stores.stores().isEmpty() && queue.add(new OfferQueue.Block(place, hash), System.nanoTime())) {
            LockSupport.unpark(thread);
        }
    }

    void start() {
        thread = Thread.ofVirtual().name("kvasir-offers").start(this::offerAll);
    }

    private void offerAll() {
        try {
            while (!closed) {
                var call = queue.next(System.nanoTime(), stores::keeper);
                if (call == null) {
                    LockSupport.parkNanos(Math.min(LOOK_NANOS, queue.waitNanos(System.nanoTime())));
                } else {
                    make(call, queue);
                }
            }
        } catch (InterruptedException _) {
            // It is closed.
        }
    }

    private void make(OfferQueue.Call call, OfferQueue of) throws InterruptedException {
        var from = own;
        if (from == null) {
            of.failed(call);
            return;
        }
        try {
            var taken = client.offer(
                    call.store().transferAddress(),
                    from.transferAddress(),
                    from.incarnation(),
                    format,
                    call.hashes(),
                    call.timeout());
            of.ended(call, taken.get());
        } catch (ExecutionException | RuntimeException e) {
            of.failed(call);
            LOG.debug("{} took no blocks", call.store(), e);
        }
    }

    /** Offers all blocks of the device and of host memory; completes with the number of those that are kept. */
    CompletableFuture<Integer> handOver(Engine engine, Duration timeout) {
        var end = new CompletableFuture<Integer>();
        long until = System.nanoTime() + timeout.toNanos();
        boolean asked = engine.execute(core -> {
            core.shared().drain();
            var all = new LinkedHashSet<OfferQueue.Block>();
            core.shared().forEachBlock((place, hash) -> all.add(new OfferQueue.Block(place, hash)));
            var last = OfferQueue.handOver(all, System.nanoTime(), until);
            leaving = last;
            Thread.ofVirtual().name("kvasir-hand-over").start(() -> end.complete(handOver(last, all.size())));
        });
        if (!asked) {
            end.complete(0);
        }
        return end.completeOnTimeout(0, timeout.plus(MARGIN).toMillis(), TimeUnit.MILLISECONDS);
    }

    private int handOver(OfferQueue all, int count) {
        try {
            var call = all.next(System.nanoTime(), stores::keeper);
            while (call != null) {
                make(call, all);
                call = all.next(System.nanoTime(), stores::keeper);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        if (all.waiting() > 0) {
            LOG.warn("{} of {} KV blocks were not handed over in time", all.waiting(), count);
        }
        LOG.info("{} of {} KV blocks are kept by kvstores", all.held(), count);
        return (int) all.held();
    }

    /** Blocks that kvstores said they hold after an offer. */
    long held() {
        var last = leaving;
        return queue.held() + (last == null ? 0 : last.held());
    }

    /** Blocks that were not offered in time, or not taken. */
    long dropped() {
        var last = leaving;
        return queue.dropped() + (last == null ? 0 : last.dropped());
    }

    @Override
    public void close() {
        closed = true;
        var running = thread;
        if (running != null) {
            running.interrupt();
        }
    }
}
