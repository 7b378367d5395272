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
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
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
    private static final double PATIENCE = 3;
    private static final long PATIENCE_MILLIS_MIN = 200;

    private final TransferClient client;
    private final BlockFormat format;
    private final MemoryTier tier;
    private final SharingConfig config;
    private final PullEstimate estimate = new PullEstimate();
    private final PullEstimate nearEstimate = new PullEstimate();
    private final AtomicInteger underWay = new AtomicInteger();
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
        var source = sources.stream()
                .filter(candidate -> candidate.blocks() > need.have())
                .max(Comparator.comparingInt(KvSource::blocks))
                .orElse(null);
        if (source == null) {
            return null;
        }
        var hashes = need.chain().subList(need.have(), Math.min(need.chain().size(), source.blocks()));
        var same = byFirstBlock.get(hashes.getFirst());
        if (same != null && same.brings(hashes)) {
            return same.joined();
        }
        if (underWay.get() >= config.transfersMax()) {
            return null;
        }
        long tokens = (long) hashes.size() * need.blockSize();
        var with = near;
        boolean isNear = with != null && with.neighbours().isNear(source);
        synchronized (estimate) {
            if (!(isNear ? nearEstimate : estimate)
                    .isWorth(
                            (long) hashes.size() * format.blockBytes(),
                            underWay.get(),
                            tokens,
                            need.tokensPerSecond(),
                            need.tokensAhead())) {
                notWorth.incrementAndGet();
                getToKnow(source);
                return null;
            }
        }
        underWay.incrementAndGet();
        var pull = new UnderWay(
                source,
                need.chain().subList(0, need.have() + hashes.size()),
                hashes,
                timeout(tokens + need.tokensAhead(), need.tokensPerSecond()));
        byFirstBlock.put(hashes.getFirst(), pull);
        starting.execute(pull::begin);
        return pull.joined();
    }

    /** What would cost too much from afar may be cheap from a neighbour: the next pull knows. */
    private void getToKnow(KvSource source) {
        var with = near;
        if (with != null && with.neighbours().isUnknown(source)) {
            starting.execute(() -> {
                try {
                    var _ = with.neighbours().standing(source, config.pullTimeout());
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            });
        }
    }

    @Override
    public PullPrice price(double tokensPerSecond) {
        synchronized (estimate) {
            return (cameNear ? nearEstimate : estimate)
                    .price((double) format.blockBytes() / format.blockSize(), underWay.get(), tokensPerSecond);
        }
    }

    /** A pull that takes much longer than computing would is given up. */
    private Duration timeout(long tokens, double tokensPerSecond) {
        if (tokensPerSecond == 0) {
            return config.pullTimeout();
        }
        long millis = (long) (PATIENCE * tokens * 1_000 / tokensPerSecond);
        return Duration.ofMillis(Math.min(config.pullTimeout().toMillis(), Math.max(millis, PATIENCE_MILLIS_MIN)));
    }

    /** A pull, and the sequences that wait for it: those are of the engine's thread. */
    private final class UnderWay {
        private final KvSource source;
        private final List<BlockHash> chain;
        private final List<BlockHash> hashes;
        private final Duration timeout;
        private volatile boolean over;
        private volatile boolean unwanted;
        private volatile @Nullable Transfer transfer;
        /** Blocks of the chain that the device has after a pull from a neighbour. */
        private int reached;

        private int waiting;

        UnderWay(KvSource source, List<BlockHash> chain, List<BlockHash> hashes, Duration timeout) {
            this.source = source;
            this.chain = chain;
            this.hashes = hashes;
            this.timeout = timeout;
        }

        void begin() {
            var from = near;
            try {
                var state = from == null ? null : near(from.bring(source, chain, timeout, () -> unwanted));
                if (state == null || (state == TransferState.DONE && !lacking().isEmpty())) {
                    beginFar(state == null ? hashes : lacking());
                } else {
                    if (state != TransferState.ABORTED) {
                        (state == TransferState.DONE ? done : failed).incrementAndGet();
                    }
                    end();
                }
            } catch (InterruptedException | RuntimeException e) {
                LOG.debug("No pull from {}", source, e);
                failed.incrementAndGet();
                end();
            }
        }

        /** What a pull from a neighbour came to; null where it is none. */
        private @Nullable TransferState near(NearPulls.@Nullable Brought brought) {
            if (brought == null) {
                return null;
            }
            reached = brought.reached();
            blocks.addAndGet(brought.blocks());
            if (brought.blocks() > 0 || brought.state() == TransferState.FAILED) {
                cameNear = true;
                synchronized (estimate) {
                    nearEstimate.observe(
                            (long) brought.blocks() * format.blockBytes(), brought.setupNanos(), brought.copyNanos());
                }
            }
            return brought.state();
        }

        /** What is neither here nor has come from a neighbour. */
        private List<BlockHash> lacking() {
            int here = chain.size() - hashes.size();
            return hashes.subList(Math.clamp((long) reached - here, 0, hashes.size()), hashes.size());
        }

        private void beginFar(List<BlockHash> wanted) {
            Transfer begun = null;
            try {
                begun = client.pull(
                        source.transferAddress(), source.incarnation(), format, wanted, false, tier, timeout);
            } catch (RuntimeException e) {
                LOG.debug("No pull from {}", source, e);
            } finally { // Whatever went wrong: a sequence waits for this.
                if (begun == null) {
                    failed.incrementAndGet();
                    end();
                } else {
                    follow(begun);
                }
            }
        }

        private void follow(Transfer begun) {
            transfer = begun;
            begun.whenEnded(() -> ended(begun, begun.state()));
            if (unwanted) {
                begun.giveUp();
            }
        }

        private void ended(Transfer of, TransferState state) {
            blocks.addAndGet(of.received());
            if (state == TransferState.DONE) {
                done.incrementAndGet();
            } else {
                failed.incrementAndGet();
                LOG.debug("A pull from {} ended {} after {} blocks: {}", source, state, of.received(), of.reason());
            }
            if (state != TransferState.ABORTED) {
                cameNear = false;
                synchronized (estimate) {
                    estimate.observe(
                            Math.max(0, of.received() - 1L) * format.blockBytes(), of.setupNanos(), of.streamNanos());
                }
            }
            end();
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

        /** Whether it was asked for all of these, which begin with its own first. */
        boolean brings(List<BlockHash> wanted) {
            return !unwanted
                    && wanted.size() <= hashes.size()
                    && hashes.get(wanted.size() - 1).equals(wanted.getLast());
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
                var of = transfer;
                if (of != null) {
                    of.giveUp();
                }
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
