package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.BlockListener;
import dev.kvasir.kvstore.block.BlockTable;
import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.BlockNews;
import dev.kvasir.kvstore.tier.Checksum;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.worker.runner.ModelRunner;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What an engine does with its blocks beyond its own requests: tells others of them, keeps copies in host memory of those
 * that somebody came back to and of those that the device lets go of, and brings copies back. Belongs to the engine's thread, but for what says otherwise.
 *
 * <p>News are collected during a step and handed over, once, after it. Copies are verified before they become blocks of the
 * device, so that nothing is computed upon what is damaged; damaged ones are dropped and recomputed.
 */
public final class SharedBlocks implements BlockListener {
    private static final int BATCHES_MAX = 256;
    private static final int HOST_NEWS_MAX = 65_536;
    /** About so much is copied out in one step: the thread that copies has steps to begin. */
    private static final long KEPT_BYTES_PER_STEP = 4L << 20;

    /** How much a look for copies brought. */
    public enum Restored {
        /** All that there is. */
        ALL,
        /** The step has done enough of it; there is more. */
        MORE
    }

    /** Is told of blocks that others may want to keep; must not block. */
    public interface Offering {
        Offering NONE = new Offering() {
            @Override
            public void copied(BlockHash place, BlockHash hash) {}

            @Override
            public void completed(BlockHash place, BlockHash hash) {}
        };

        /** The block was copied to host memory; {@code place} decides who may keep it. */
        void copied(BlockHash place, BlockHash hash);

        /** The block is complete on the device. */
        void completed(BlockHash place, BlockHash hash);
    }

    private final BlockFeed feed;
    private final Offering offering;
    private final @Nullable MemoryTier tier;
    private final Keeping keeping;
    private final CopyShare share;
    private final CopyShare shareOfReused;
    private final long bytesPerStep;
    private final ArrayBlockingQueue<BlockNews> hostNews = new ArrayBlockingQueue<>(HOST_NEWS_MAX);
    private final AtomicBoolean hostNewsLost = new AtomicBoolean();
    private final AtomicLong kept = new AtomicLong();
    private final AtomicLong restored = new AtomicLong();
    private final List<BlockHash> reused = new ArrayList<>();
    private @Nullable PrefixCache cache;
    private @Nullable ModelRunner runner;
    private boolean draining;
    private long budget;
    private long keepBudget;

    /** Tells of blocks and keeps no copies; {@code wake} tells a publisher to poll and must not block. */
    public SharedBlocks(Runnable wake) {
        this(
                wake,
                null,
                new Keeping(Integer.MAX_VALUE),
                CopyShare.ofUnproven(false, () -> 0),
                CopyShare.ofReused(() -> 0),
                Long.MAX_VALUE,
                Offering.NONE);
    }

    /**
     * With copies.
     *
     * @param wake tells a publisher to poll; called by the engine's thread, must not block
     * @param tier for copies, of the runner's block size; its listener is set here
     * @param share of the engine's time for copies of blocks that nobody has asked for
     * @param shareOfReused likewise, of blocks that somebody came back to, made while they are on the device still
     * @param offering told of blocks that others may keep
     * @param bytesPerStep about so much is brought back in one step, so that running sequences go on
     */
    public SharedBlocks(
            Runnable wake,
            @Nullable MemoryTier tier,
            Keeping keeping,
            CopyShare share,
            CopyShare shareOfReused,
            long bytesPerStep,
            Offering offering) {
        this.feed = new BlockFeed(BATCHES_MAX, this::all, wake);
        this.tier = tier;
        this.offering = offering;
        this.keeping = keeping;
        this.share = share;
        this.shareOfReused = shareOfReused;
        this.bytesPerStep = bytesPerStep;
        if (tier != null) {
            tier.listen(new HostListener());
        }
    }

    /** News of the host tier, from whatever thread. */
    private final class HostListener implements MemoryTier.Listener {
        @Override
        public void stored(StoredBlock block) {
            tell(true, block);
        }

        @Override
        public void evicted(StoredBlock block, MemorySegment bytes) {
            tell(false, block);
        }

        @Override
        public void damaged(StoredBlock block) {
            tell(false, block);
        }

        private void tell(boolean stored, StoredBlock block) {
            if (!hostNews.offer(new BlockNews(stored, Tier.HOST, block.first(), block.parent(), block.hash()))) {
                hostNewsLost.set(true);
            }
        }
    }

    void join(PrefixCache engineCache, ModelRunner engineRunner) {
        cache = engineCache;
        runner = engineRunner;
        if (tier != null && tier.format().blockBytes() != engineRunner.blockBytes()) {
            throw new IllegalArgumentException("the host tier has blocks of %d bytes, the runner of %d"
                    .formatted(tier.format().blockBytes(), engineRunner.blockBytes()));
        }
        engineCache.listen(this);
    }

    @Override
    public void stored(int block) {
        var news = news(true, block);
        feed.add(news);
        offering.completed(named(known().place(block)), news.hash());
    }

    /**
     * Whoever comes back once may do so again, here or, should this worker be lost, elsewhere: a copy is made, once the step
     * that found the block is under way.
     */
    @Override
    public void reused(int block) {
        if (tier == null || keepBudget <= 0 || !shareOfReused.allows()) {
            return;
        }
        var hash = named(known().hash(block));
        if (!tier.touch(hash)) {
            keepBudget -= tier.format().blockBytes();
            reused.add(hash);
        }
    }

    /** Copies what steps found again; to be called while the device computes one, whose sequences hold those blocks. */
    void copyReused() {
        if (tier == null || reused.isEmpty()) {
            return;
        }
        var known = known();
        for (var hash : reused) {
            if (shareOfReused.allows() && known.knows(hash) && !tier.touch(hash)) {
                shareOfReused.pay(() -> copyOut(known.block(hash), tier));
            }
        }
        reused.clear();
    }

    @Override
    public void evicting(int block) {
        keepIfWorth(block);
        feed.add(news(false, block));
    }

    private void keepIfWorth(int block) {
        var known = known();
        var hash = named(known.hash(block));
        if (tier == null || tier.touch(hash) || (keepBudget <= 0 && !draining)) {
            return;
        }
        switch (keeping.worth(known.uses(block), known.depth(block), tier.hasFollower(hash), draining)) {
            case NO -> {}
            case WANTED -> keep(block, tier);
            case NEEDED -> share.pay(() -> keep(block, tier));
            case PERHAPS -> {
                if (share.allows()) {
                    share.pay(() -> keep(block, tier));
                }
            }
        }
    }

    private void keep(int block, MemoryTier to) {
        keepBudget -= to.format().blockBytes();
        copyOut(block, to);
    }

    private boolean copyOut(int block, MemoryTier to) {
        var reservation = runner == null ? null : to.reserve();
        if (reservation == null || runner == null) {
            return false;
        }
        @Nullable StoredBlock copy = null;
        try {
            runner.readBlock(block, reservation.bytes());
            copy = named(block, Checksum.of(reservation.bytes()));
        } finally {
            if (copy == null) {
                reservation.abandon();
            } else {
                reservation.publish(copy);
            }
        }
        offering.copied(named(known().place(block)), copy.hash());
        kept.incrementAndGet();
        return true;
    }

    private StoredBlock named(int block, int checksum) {
        var known = known();
        return new StoredBlock(
                named(known.hash(block)),
                named(known.first(block)),
                parent(block),
                known.depth(block),
                checksum,
                known.place(block));
    }

    /** From now on every block is worth keeping. */
    public void drain() {
        draining = true;
    }

    /**
     * Calls {@code each} with all blocks that were computed here, of the device and in host memory: what decides who may keep
     * it, and name.
     */
    public void forEachBlock(BiConsumer<BlockHash, BlockHash> each) {
        var known = known();
        for (int block = 0; block < known.pool().capacity(); block++) {
            var hash = known.hash(block);
            if (hash != null) {
                each.accept(named(known.place(block)), hash);
            }
        }
        if (tier != null) {
            tier.blocks().forEach(copy -> {
                if (copy.place() != null) {
                    each.accept(copy.place(), copy.hash());
                }
            });
        }
    }

    /** Copies blocks of the device to the host tier, for others to read. Those that are not there are left out. */
    public void export(List<BlockHash> hashes) {
        if (tier == null) {
            return;
        }
        var known = known();
        for (var hash : hashes) {
            if (known.knows(hash) && !tier.touch(hash) && !copyOut(known.block(hash), tier)) {
                return;
            }
        }
    }

    /** A step begins: copies may be brought back again. */
    void beginStep() {
        budget = bytesPerStep;
        keepBudget = KEPT_BYTES_PER_STEP;
        share.resume();
    }

    /** Brings copies of the first {@code blocksMax} blocks of a chain back to the device, as far as they follow what is there. */
    Restored restore(HashChain chain, int blocksMax) {
        var known = known();
        int end = Math.min(blocksMax, chain.size());
        int have = tier == null ? 0 : known.match(chain, end);
        if (tier == null || have == end || !tier.contains(chain.get(have))) {
            return Restored.ALL;
        }
        var table = new BlockTable();
        known.hold(chain, have, table);
        boolean more = true;
        while (more && budget > 0 && table.size() < end && known.pool().available() > 0) {
            more = copyIn(chain, table, tier);
        }
        boolean done = !more || table.size() == end || known.pool().available() == 0;
        known.release(table);
        return done ? Restored.ALL : Restored.MORE;
    }

    private boolean copyIn(HashChain chain, BlockTable table, MemoryTier from) {
        int index = table.size();
        try (var pin = from.pin(chain.get(index))) {
            if (pin == null || runner == null || !pin.verify()) {
                return false;
            }
            known().grow(table, index + 1);
            runner.writeBlock(table.get(index), pin.bytes());
            known().commit(chain, index, table);
            restored.incrementAndGet();
            budget -= pin.bytes().byteSize();
            return true;
        }
    }

    /** Hands news over; after each step, and when asked to. */
    public void flush() {
        share.pause();
        if (hostNewsLost.getAndSet(false)) {
            hostNews.clear();
            feed.lose();
        }
        BlockNews news;
        while ((news = hostNews.poll()) != null) {
            feed.add(news);
        }
        feed.flush();
    }

    /** The next batch of news; of the publisher's thread. */
    public BlockFeed.@Nullable Batch poll() {
        return feed.poll();
    }

    /**
     * Whether the engine's thread has to {@link #flush} once more: news were dropped, or others have changed what is in host
     * memory while the engine had nothing to do. Any thread.
     */
    public boolean hasMore() {
        return feed.isLost() || hostNewsLost.get() || !hostNews.isEmpty();
    }

    /** Copies in host memory; any thread. */
    public @Nullable MemoryTier tier() {
        return tier;
    }

    /** Blocks copied to host memory so far; any thread. */
    public long kept() {
        return kept.get();
    }

    /** Blocks brought back so far; any thread. */
    public long restored() {
        return restored.get();
    }

    private List<BlockNews> all() {
        var all = new ArrayList<BlockNews>();
        var known = known();
        for (int block = 0; block < known.pool().capacity(); block++) {
            if (known.hash(block) != null) {
                all.add(news(true, block));
            }
        }
        if (tier != null) {
            tier.blocks()
                    .forEach(copy -> all.add(new BlockNews(true, Tier.HOST, copy.first(), copy.parent(), copy.hash())));
        }
        return all;
    }

    private BlockNews news(boolean stored, int block) {
        var known = known();
        return new BlockNews(stored, Tier.DEVICE, named(known.first(block)), parent(block), named(known.hash(block)));
    }

    private @Nullable BlockHash parent(int block) {
        return known().depth(block) == 0 ? null : known().parent(block);
    }

    private PrefixCache known() {
        if (cache == null) {
            throw new IllegalStateException("no engine has joined");
        }
        return cache;
    }

    private static BlockHash named(@Nullable BlockHash hash) {
        if (hash == null) {
            throw new IllegalStateException("the block has no name");
        }
        return hash;
    }
}
