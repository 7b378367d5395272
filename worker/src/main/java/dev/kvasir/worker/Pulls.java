package dev.kvasir.worker;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.PullEstimate;
import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.kvstore.transfer.Transfer;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferState;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.engine.Pull;
import dev.kvasir.worker.engine.PullNeed;
import dev.kvasir.worker.engine.Puller;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pulls blocks of prompts from other members, where that is expected to be faster than computing them: from workers of the same
 * host into the pool, as far as their device has them and memory can be read there; else into host memory. Sequences that lack the same blocks wait for one pull.
 */
public final class Pulls implements Puller {
    private static final Logger LOG = LoggerFactory.getLogger(Pulls.class);

    private final TransferClient client;
    private final BlockFormat format;
    private final MemoryTier tier;
    private final SharingConfig config;
    private final PullEstimate estimate = new PullEstimate();
    private final PullEstimate nearEstimate = new PullEstimate();
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger transfers = new AtomicInteger();
    private final Map<BlockHash, UnderWay> byFirstBlock = new ConcurrentHashMap<>();
    private final AtomicLong done = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong notWorth = new AtomicLong();
    private final AtomicLong blocks = new AtomicLong();
    private final Executor starting;
    private volatile @Nullable Runnable wake;
    private volatile @Nullable NearPulls near;
    /** Whether blocks came from a device the last time: what the next pull is most likely to cost. */
    private volatile boolean cameNear;

    Pulls(TransferClient client, BlockFormat format, MemoryTier tier, SharingConfig config) {
        this(
                client,
                format,
                tier,
                config,
                task -> Thread.ofVirtual().name("kvasir-pull").start(task));
    }

    /**
     * Pulls into {@code tier}.
     *
     * @param starting begins pulls, which may block, elsewhere than on the engine's thread
     */
    public Pulls(TransferClient client, BlockFormat format, MemoryTier tier, SharingConfig config, Executor starting) {
        this.starting = starting;
        this.client = client;
        this.format = format;
        this.tier = tier;
        this.config = config;
    }

    /** {@code engine} is run when a pull has ended, and lets the engine look at the sequences that waited for it. */
    public void start(Runnable engine) {
        start(engine, null);
    }

    void start(Runnable engine, @Nullable NearPulls neighbours) {
        near = neighbours;
        wake = engine;
    }

    @Override
    public @Nullable Pull begin(PullNeed need, List<KvSource> sources) {
        var route = PullRoute.of(need, sources, config.transfersMax() - transfers.get());
        if (route.hashes().isEmpty()) {
            return null;
        }
        var same = same(need, route.hashes());
        if (same != null) {
            return same.joined();
        }
        var first = PullRoute.best(sources, need.have());
        long tokens = (long) route.hashes().size() * need.blockSize();
        boolean isNear = isNear(first, need.have() + route.hashes().size());
        long patienceMillis;
        synchronized (estimate) {
            var seen = isNear ? nearEstimate : estimate;
            if (!seen.isWorth(
                    (long) route.hashes().size() * format.blockBytes(),
                    underWay.get(),
                    tokens,
                    need.tokensPerSecond(),
                    need.tokensAhead())) {
                notWorth.incrementAndGet();
                return null;
            }
            // A neighbour's memory is no network to be tried, and takes a while to open.
            patienceMillis = PullEstimate.patienceMillis(
                    !isNear && !seen.isTried(), tokens + need.tokensAhead(), need.tokensPerSecond());
        }
        underWay.incrementAndGet();
        transfers.addAndGet(route.legs().size());
        var timeout = Duration.ofMillis(Math.min(config.pullTimeout().toMillis(), patienceMillis));
        var pull = new UnderWay(need, sources, route, timeout);
        byFirstBlock.put(route.hashes().getFirst(), pull);
        starting.execute(pull::begin);
        return pull.joined();
    }

    /** The pull under way that brings these; some of its blocks may have come already, so that it began further up the chain. */
    private @Nullable UnderWay same(PullNeed need, List<BlockHash> wanted) {
        if (byFirstBlock.isEmpty()) {
            return null;
        }
        for (int begin = need.have(); begin >= 0; begin--) {
            var pull = byFirstBlock.get(need.chain().get(begin));
            if (pull != null && pull.brings(need.have() - begin, wanted)) {
                return pull;
            }
        }
        return null;
    }

    /**
     * Whether a member is known to have all blocks up to {@code end} where they can be read from here. One of which that is
     * not known is asked: the next pull may be cheap, even if this one costs too much.
     */
    private boolean isNear(@Nullable KvSource source, int end) {
        var with = near;
        return with != null
                && source != null
                && with.neighbours().standing(source) instanceof Neighbours.Near
                && source.blocks() >= end;
    }

    @Override
    public PullPrice price(double tokensPerSecond) {
        synchronized (estimate) {
            return (cameNear ? nearEstimate : estimate)
                    .price((double) format.blockBytes() / format.blockSize(), underWay.get(), tokensPerSecond);
        }
    }

    /**
     * A pull, and the sequences that wait for it: those are of the engine's thread. First of the device of the member that has
     * most of what comes next, where it is a neighbour; then of several members at once.
     */
    private final class UnderWay {
        private final PullNeed need;
        private final List<KvSource> sources;
        private final List<BlockHash> hashes;
        private final Duration timeout;
        private final List<Transfer> begun = new CopyOnWriteArrayList<>();
        private final AtomicInteger left = new AtomicInteger();
        /** Of what nobody has brought yet; changed before the first transfer begins. */
        private PullRoute route;

        private volatile boolean over;
        private volatile boolean unwanted;
        private int waiting;

        UnderWay(PullNeed need, List<KvSource> sources, PullRoute route, Duration timeout) {
            this.need = need;
            this.sources = sources;
            this.hashes = route.hashes();
            this.route = route;
            this.timeout = timeout;
        }

        void begin() {
            boolean ended;
            try {
                ended = beginNear();
            } catch (InterruptedException | RuntimeException e) {
                LOG.debug("No pull from a neighbour's device", e);
                endWithoutTransfers(TransferState.FAILED);
                return;
            }
            if (!ended) {
                left.set(route.legs().size());
                route.legs().forEach(this::begin);
            }
        }

        /** Whether that was all: nobody else has to be asked. */
        private boolean beginNear() throws InterruptedException {
            var from = near;
            var first = PullRoute.best(sources, need.have());
            if (from == null || first == null) {
                return false;
            }
            int end = Math.min(need.have() + hashes.size(), first.blocks());
            var brought = from.bring(first, need.chain().subList(0, end), timeout, () -> unwanted);
            if (brought == null) {
                return false;
            }
            came(brought);
            if (brought.state() != TransferState.DONE || brought.reached() >= need.have() + hashes.size()) {
                endWithoutTransfers(brought.state());
                return true;
            }
            goOnAfter(Math.max(need.have(), brought.reached()));
            if (route.legs().isEmpty()) {
                endWithoutTransfers(TransferState.FAILED);
                return true;
            }
            return false;
        }

        private void came(NearPulls.Brought brought) {
            blocks.addAndGet(brought.blocks());
            if (brought.blocks() > 0 || brought.state() == TransferState.FAILED) {
                cameNear = true;
                synchronized (estimate) {
                    nearEstimate.observe(
                            (long) brought.blocks() * format.blockBytes(), brought.setupNanos(), brought.copyNanos());
                }
            }
        }

        /** The rest is asked of no more members than all of it would have been. */
        private void goOnAfter(int have) {
            var rest = new PullNeed(
                    need.chain().subList(0, need.have() + hashes.size()),
                    have,
                    need.blockSize(),
                    need.tokensPerSecond(),
                    need.tokensAhead());
            int allowed = route.legs().size();
            route = PullRoute.of(rest, sources, allowed);
            transfers.addAndGet(route.legs().size() - allowed);
        }

        private void endWithoutTransfers(TransferState state) {
            transfers.addAndGet(-route.legs().size());
            if (state != TransferState.ABORTED) {
                (state == TransferState.DONE ? done : failed).incrementAndGet();
            }
            end();
        }

        private void begin(PullRoute.Leg leg) {
            Transfer transfer = null;
            try {
                transfer = client.pull(
                        leg.transferAddress(), leg.incarnation(), format, leg.hashes(), leg.isSparse(), tier, timeout);
            } catch (RuntimeException e) {
                LOG.debug("No pull from {}", leg.transferAddress(), e);
            } finally { // Whatever went wrong: a sequence waits for this.
                if (transfer == null) {
                    legEnded();
                } else {
                    follow(leg, transfer);
                }
            }
        }

        private void follow(PullRoute.Leg leg, Transfer transfer) {
            begun.add(transfer);
            transfer.whenEnded(() -> ended(leg, transfer));
            if (unwanted) {
                transfer.giveUp();
            }
        }

        private void ended(PullRoute.Leg leg, Transfer transfer) {
            blocks.addAndGet(transfer.received());
            if (transfer.state() != TransferState.DONE) {
                LOG.debug(
                        "A pull from {} ended {} after {} blocks: {}",
                        leg.transferAddress(),
                        transfer.state(),
                        transfer.received(),
                        transfer.reason());
            }
            legEnded();
        }

        private void legEnded() {
            transfers.decrementAndGet();
            if (left.decrementAndGet() == 0) {
                allEnded();
            }
        }

        private void allEnded() {
            boolean whole = begun.size() == route.legs().size()
                    && begun.stream().allMatch(transfer -> transfer.state() == TransferState.DONE);
            (whole ? done : failed).incrementAndGet();
            if (!begun.isEmpty() && begun.stream().noneMatch(transfer -> transfer.state() == TransferState.ABORTED)) {
                observe();
            }
            end();
        }

        /** All together are one pull: they share this member's network. */
        private void observe() {
            int received = begun.stream().mapToInt(Transfer::received).sum();
            long first = begun.stream().mapToLong(Transfer::setupNanos).min().orElse(0);
            long last = begun.stream()
                    .mapToLong(transfer -> transfer.setupNanos() + transfer.streamNanos())
                    .max()
                    .orElse(first);
            cameNear = false;
            synchronized (estimate) {
                estimate.observe(Math.max(0, received - 1L) * format.blockBytes(), first, last - first);
            }
        }

        private void end() {
            over = true;
            byFirstBlock.remove(hashes.getFirst(), this);
            underWay.decrementAndGet();
            var engine = wake;
            if (engine != null) {
                engine.run();
            }
        }

        /** Whether it was asked for all of these, which follow so many of its own. */
        boolean brings(int before, List<BlockHash> wanted) {
            int last = before + wanted.size() - 1;
            return !unwanted && last < hashes.size() && hashes.get(last).equals(wanted.getLast());
        }

        Pull joined() {
            waiting++;
            return new Pull() {
                private boolean left;

                @Override
                public boolean isDone() {
                    return over;
                }

                @Override
                public void giveUp() {
                    if (!left) {
                        left = true;
                        left();
                    }
                }
            };
        }

        private void left() {
            if (--waiting == 0) {
                unwanted = true;
                begun.forEach(Transfer::giveUp);
            }
        }
    }

    long done() {
        return done.get();
    }

    /** Pulls that brought less than was asked for. */
    public long failed() {
        return failed.get();
    }

    /** Those of them in which a block was not what it had to be. */
    long refused() {
        var with = near;
        return client.refused() + (with == null ? 0 : with.refused());
    }

    /** Blocks that came from the device memory of a neighbour. */
    long nearBlocks() {
        var with = near;
        return with == null ? 0 : with.blocks();
    }

    /** Pulls not begun since computing was expected to be faster. */
    long notWorth() {
        return notWorth.get();
    }

    /** Blocks that came. */
    public long blocks() {
        return blocks.get();
    }
}
