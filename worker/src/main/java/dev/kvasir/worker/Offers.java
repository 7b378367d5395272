package dev.kvasir.worker;

import dev.kvasir.kvstore.actor.StoreDirectory;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.SharedBlocks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Offers blocks to kvstores of other members, which pull those that they want. A chain's blocks go to one kvstore, chosen by
 * its first block. Bounded and in the background: what cannot be offered in time is not.
 */
final class Offers implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Offers.class);
    private static final int WAITING_MAX = 8192;
    private static final int BATCH = 256;
    private static final Duration TIMEOUT = Duration.ofSeconds(20);
    private static final long LINGER_MILLIS = 20;

    /** A block, and the first of its chain. */
    private record Offered(BlockHash first, BlockHash hash) {}

    private final TransferClient client;
    private final BlockFormat format;
    private final StoreDirectory stores;
    private final ArrayBlockingQueue<Offered> waiting = new ArrayBlockingQueue<>(WAITING_MAX);
    private final AtomicLong held = new AtomicLong();
    private final AtomicLong dropped = new AtomicLong();
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
                    public void copied(StoredBlock block) {
                        add(block.first(), block.hash());
                    }

                    @Override
                    public void completed(BlockHash first, BlockHash hash) {}
                };
            case ALL ->
                new SharedBlocks.Offering() {
                    @Override
                    public void copied(StoredBlock block) {}

                    @Override
                    public void completed(BlockHash first, BlockHash hash) {
                        add(first, hash);
                    }
                };
        };
    }

    private void add(BlockHash first, BlockHash hash) {
        if (!stores.stores().isEmpty() && !waiting.offer(new Offered(first, hash))) {
            dropped.incrementAndGet();
        }
    }

    void start() {
        thread = Thread.ofVirtual().name("kvasir-offers").start(this::offerAll);
    }

    private void offerAll() {
        while (!closed) {
            try {
                var first = waiting.poll(1, TimeUnit.SECONDS);
                if (first != null) {
                    TimeUnit.MILLISECONDS.sleep(LINGER_MILLIS); // More of its chain will follow.
                    var batch = new ArrayList<Offered>(BATCH);
                    batch.add(first);
                    waiting.drainTo(batch, BATCH - 1);
                    offer(batch, TIMEOUT);
                }
            } catch (InterruptedException _) {
                return;
            }
        }
    }

    private int offer(List<Offered> batch, Duration timeout) {
        var from = own;
        if (from == null) {
            return 0;
        }
        Map<Holder, List<BlockHash>> byStore = new LinkedHashMap<>();
        for (var offered : batch) {
            stores.forChain(offered.first())
                    .ifPresent(store -> byStore.computeIfAbsent(store, _ -> new ArrayList<>())
                            .add(offered.hash()));
        }
        int count = 0;
        for (var entry : byStore.entrySet()) {
            try {
                count += client.offer(
                        entry.getKey().transferAddress(),
                        from.transferAddress(),
                        from.incarnation(),
                        format,
                        entry.getValue(),
                        timeout);
            } catch (RuntimeException e) {
                dropped.addAndGet(entry.getValue().size());
                LOG.debug("{} took no blocks", entry.getKey(), e);
            }
        }
        held.addAndGet(count);
        return count;
    }

    /** Offers all blocks of the device and of host memory; completes with the number of those that are kept. */
    CompletableFuture<Integer> handOver(Engine engine, Duration timeout) {
        var end = new CompletableFuture<Integer>();
        long until = System.nanoTime() + timeout.toNanos();
        boolean asked = engine.execute(core -> {
            core.shared().drain();
            var all = new LinkedHashSet<Offered>();
            core.shared().forEachBlock((first, hash) -> all.add(new Offered(first, hash)));
            Thread.ofVirtual().name("kvasir-hand-over").start(() -> end.complete(handOver(List.copyOf(all), until)));
        });
        if (!asked) {
            end.complete(0);
        }
        return end.completeOnTimeout(0, timeout.toMillis() + 500, TimeUnit.MILLISECONDS);
    }

    private int handOver(List<Offered> all, long until) {
        int count = 0;
        for (int from = 0; from < all.size(); from += BATCH) {
            var left = Duration.ofNanos(until - System.nanoTime());
            if (left.toMillis() < 1) {
                LOG.warn("{} of {} KV blocks were not handed over in time", all.size() - from, all.size());
                break;
            }
            count += offer(all.subList(from, Math.min(from + BATCH, all.size())), left);
        }
        LOG.info("{} of {} KV blocks are kept by kvstores", count, all.size());
        return count;
    }

    /** Blocks that kvstores said they hold after an offer. */
    long held() {
        return held.get();
    }

    /** Blocks that were not offered in time, or not taken. */
    long dropped() {
        return dropped.get();
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
