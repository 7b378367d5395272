package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.KvStoreConfig;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.BlockHost;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * All blocks of a kvstore. Each format of blocks has a pool; the first has all memory, and when another appears (a new model
 * is rolled out) the one that was asked for least recently goes. Thread-safe.
 */
final class Store implements BlockHost, AutoCloseable {
    private final long incarnation;
    private final KvStoreConfig config;
    private final DiskFiles files;
    private final BlockFile.Opener opener;
    private final LongSupplier clock;
    private final Consumer<Pool> added;
    private final Consumer<Pool> removed;
    private final Map<BlockFormat, Pool> pools = new LinkedHashMap<>(16, 0.75f, true);
    private boolean closed;

    /**
     * A store without blocks, but for those on disk.
     *
     * @param folder for files of the disk tier
     * @param added told of new pools
     * @param removed told of pools that go
     */
    Store(
            long incarnation,
            KvStoreConfig config,
            Path folder,
            BlockFile.Opener opener,
            LongSupplier clock,
            Consumer<Pool> added,
            Consumer<Pool> removed) {
        this.incarnation = incarnation;
        this.config = config;
        this.files = new DiskFiles(folder, config.disk());
        this.opener = opener;
        this.clock = clock;
        this.added = added;
        this.removed = removed;
    }

    @Override
    public long incarnation() {
        return incarnation;
    }

    @Override
    public @Nullable MemoryTier tier(BlockFormat format) {
        var pool = held(format);
        return pool == null ? null : pool.memory();
    }

    @Override
    public @Nullable MemoryTier taking(BlockFormat format) {
        var pool = open(format);
        return pool == null ? null : pool.memory();
    }

    /** Takes up what an earlier life has left on disk of the model that was served last. */
    void openFromDisk() {
        if (config.disk() > 0) {
            files.formats().stream().findFirst().ifPresent(this::open);
        }
    }

    private synchronized @Nullable Pool open(BlockFormat format) {
        if (closed || format.blockBytes() > config.memory()) {
            return null;
        }
        var pool = pools.get(format);
        if (pool == null) {
            pools.entrySet().removeIf(other -> {
                removed.accept(other.getValue());
                other.getValue().close();
                return true;
            });
            pool = new Pool(format, config.memory(), listener -> disk(format, listener));
            pools.put(format, pool);
            added.accept(pool);
        }
        return pool;
    }

    private Optional<DiskTier> disk(BlockFormat format, DiskTier.Listener listener) {
        if (config.disk() == 0) {
            return Optional.empty();
        }
        var limits = new DiskTier.Limits(
                files.makeRoom(format),
                config.diskSlow().toNanos(),
                config.diskRetry().toNanos());
        return Optional.of(new DiskTier(format, files.folder(format), opener, limits, clock, listener));
    }

    @Override
    public void bring(BlockFormat format, List<BlockHash> hashes) {
        var pool = held(format);
        if (pool != null) {
            pool.bring(hashes);
        }
    }

    private synchronized @Nullable Pool held(BlockFormat format) {
        return pools.get(format);
    }

    /** Pools there are. */
    synchronized List<Pool> pools() {
        return List.copyOf(pools.values());
    }

    @Override
    public synchronized void close() {
        closed = true;
        pools.values().forEach(Pool::close);
        pools.clear();
    }
}
