package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.actor.Publication;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.BlockNews;
import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The blocks of one format in a kvstore: memory, and behind it disk, where blocks go that memory has no room for. */
public final class Pool implements Publication.Owner, AutoCloseable {
    private final BlockFormat format;
    private final MemoryTier memory;
    private final TierNews news = new TierNews(this::all);
    private final Function<DiskTier.Listener, Optional<DiskTier>> makeDisk;
    private final LongSupplier clock;
    private volatile @Nullable DiskTier disk;
    private volatile long usedNanos;

    /**
     * An empty pool without a disk.
     *
     * @param makeDisk opens the disk tier behind it, of the size that it may have at the time, where there is to be one
     */
    public Pool(
            BlockFormat format,
            long memoryBytes,
            Function<DiskTier.Listener, Optional<DiskTier>> makeDisk,
            LongSupplier clock) {
        this.format = format;
        this.memory = new MemoryTier(format, memoryBytes);
        this.makeDisk = makeDisk;
        this.clock = clock;
        used();
        memory.listen(new MemoryTier.Listener() {
            @Override
            public void stored(StoredBlock block) {
                news.tell(true, Tier.HOST, block);
            }

            @Override
            public void evicted(StoredBlock block, MemorySegment bytes) {
                var behind = disk;
                if (behind != null) {
                    behind.offer(block, bytes);
                }
                news.tell(false, Tier.HOST, block);
            }

            @Override
            public void damaged(StoredBlock block) {
                news.tell(false, Tier.HOST, block);
            }
        });
    }

    /** Somebody asks for it. */
    void used() {
        usedNanos = clock.getAsLong();
    }

    /** Time since somebody asked for it. */
    long idleNanos() {
        return clock.getAsLong() - usedNanos;
    }

    /** Closes the disk tier, so that others may have its room. Waits for what is being written. */
    void closeDisk() {
        var behind = disk;
        disk = null;
        if (behind != null) {
            behind.close();
            news.tellAnew();
        }
    }

    /** Opens the disk tier, of the size that it may have now. */
    public void openDisk() {
        disk = makeDisk.apply(new DiskTier.Listener() {
                    @Override
                    public void stored(StoredBlock block) {
                        news.tell(true, Tier.DISK, block);
                    }

                    @Override
                    public void evicted(StoredBlock block) {
                        news.tell(false, Tier.DISK, block);
                    }
                })
                .orElse(null);
    }

    /** Name of the pool in the prefix index. */
    String name() {
        return ShardName.pool(format.fingerprint(), format.kvDtype(), format.blockSize());
    }

    BlockFormat format() {
        return format;
    }

    public MemoryTier memory() {
        return memory;
    }

    public @Nullable DiskTier disk() {
        return disk;
    }

    /** Reads blocks that are on disk alone into memory. */
    public void bring(List<BlockHash> hashes) {
        var from = disk;
        if (from == null) {
            return;
        }
        for (var hash : hashes) {
            if (!memory.contains(hash) && from.contains(hash) && !bring(hash, from)) {
                return;
            }
        }
    }

    private boolean bring(BlockHash hash, DiskTier from) {
        var reservation = memory.reserve();
        if (reservation == null) {
            return false;
        }
        @Nullable StoredBlock block = null;
        try {
            block = from.read(hash, reservation.bytes());
        } finally {
            if (block == null) {
                reservation.abandon();
            } else {
                reservation.publish(block);
            }
        }
        return block != null;
    }

    @Override
    public BlockFeed.@Nullable Batch poll() {
        return news.poll();
    }

    @Override
    public void tellAnewIfLost() {
        // The next poll does.
    }

    private List<BlockNews> all() {
        var all = new ArrayList<BlockNews>();
        memory.blocks().forEach(block -> all.add(news(Tier.HOST, block)));
        var behind = disk;
        if (behind != null) {
            behind.blocks().forEach(block -> all.add(news(Tier.DISK, block)));
        }
        return all;
    }

    private static BlockNews news(Tier tier, StoredBlock block) {
        return new BlockNews(true, tier, block.first(), block.parent(), block.hash());
    }

    @Override
    public void close() {
        memory.close();
        closeDisk();
    }
}
