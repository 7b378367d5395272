package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.actor.StoreDirectory;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.worker.OfferQueue;
import dev.kvasir.worker.engine.SharedBlocks;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Optional;

/** Makes the calls that an {@link OfferQueue} decides upon, as a worker's thread does. */
class Offers {
    private static final long HAND_OVER_NANOS = 2 * Timeline.SECOND;

    private final World world;
    private final Life self;
    private final Holder own;
    private final TransferClient client;
    private final OfferQueue queue = OfferQueue.background();

    Offers(World world, Life self, Holder own, TransferClient client) {
        this.world = world;
        this.self = self;
        this.own = own;
        this.client = client;
    }

    SharedBlocks.Offering ofCopies() {
        return new SharedBlocks.Offering() {
            @Override
            public void copied(BlockHash place, BlockHash hash) {
                add(place, hash);
            }

            @Override
            public void completed(BlockHash place, BlockHash hash) {}
        };
    }

    SharedBlocks.Offering ofAll() {
        return new SharedBlocks.Offering() {
            @Override
            public void copied(BlockHash place, BlockHash hash) {}

            @Override
            public void completed(BlockHash place, BlockHash hash) {
                add(place, hash);
            }
        };
    }

    private void add(BlockHash place, BlockHash hash) {
        boolean wake = !stores().isEmpty() && queue.add(new OfferQueue.Block(place, hash), self.nanos());
        if (wake) {
            self.after(0, () -> look(queue, () -> {}));
        }
    }

    /** Offers all; {@code then} runs once, when all was looked at or time is up. */
    void handOver(Collection<OfferQueue.Block> all, Runnable then) {
        if (stores().isEmpty()) {
            then.run();
            return;
        }
        look(OfferQueue.handOver(all, self.nanos(), self.nanos() + HAND_OVER_NANOS), then);
    }

    /** @param then run when there are no more calls */
    private void look(OfferQueue of, Runnable then) {
        var call = of.next(self.nanos(), place -> StoreDirectory.keeper(place, stores()));
        if (call != null) {
            make(call, of, then);
            return;
        }
        long wait = of.waitNanos(self.nanos());
        if (wait < Long.MAX_VALUE) {
            self.after(wait, () -> look(of, then));
        } else {
            then.run();
        }
    }

    private void make(OfferQueue.Call call, OfferQueue of, Runnable then) {
        var _ = client.offer(
                        call.store().transferAddress(),
                        own.transferAddress(),
                        own.incarnation(),
                        world.geometry().format(),
                        call.hashes(),
                        call.timeout())
                // Not in here, where nobody would see what it throws.
                .whenComplete((held, failure) -> self.after(
                        0, () -> ended(of, call, failure == null ? Optional.of(held) : Optional.empty(), then)));
    }

    private void ended(OfferQueue of, OfferQueue.Call call, Optional<Integer> held, Runnable then) {
        world.stats().keptBlocks += held.orElse(0);
        told(of, call, held);
        look(of, then);
    }

    /** Tells what became of a call; nothing where it failed. */
    void told(OfferQueue of, OfferQueue.Call call, Optional<Integer> held) {
        held.ifPresentOrElse(count -> of.ended(call, count), () -> of.failed(call));
    }

    /** Kvstores that are known. */
    private Collection<Holder> stores() {
        var stores = new ArrayList<Holder>();
        for (var other : world.membership().others(self)) {
            if (other.program() instanceof KvStoreShell store) {
                var publisher = store.publisher();
                if (publisher != null) {
                    stores.add(publisher.holder());
                }
            }
        }
        return stores;
    }

    OfferQueue queue() {
        return queue;
    }
}
