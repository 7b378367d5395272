package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.KvStoreConfig;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.FrameHeader;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.BlockHost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All blocks of a kvstore. Each format of blocks has a pool; the first has all memory, and when another appears (a new model
 * is rolled out) the one that was asked for least recently goes. Thread-safe.
 */
final class Store implements BlockHost, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Store.class);

    private final long incarnation;
    private final KvStoreConfig config;
    private final Path folder;
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
        this.folder = folder;
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

    /** Takes up what an earlier life has left on disk. */
    void openFromDisk() {
        if (config.disk() > 0) {
            DiskTier.formats(folder).stream().findFirst().ifPresent(this::open);
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
        deleteOthers("blocks-%08x.kv".formatted(FrameHeader.digest(format)));
        var limits = new DiskTier.Limits(
                config.disk(), config.diskSlow().toNanos(), config.diskRetry().toNanos());
        return Optional.of(new DiskTier(format, folder, opener, limits, clock, listener));
    }

    /** The disk's bound is for one format: files of another go. */
    private void deleteOthers(String keep) {
        try (var files = Files.newDirectoryStream(folder, "blocks-*.kv")) {
            for (var file : files) {
                if (!file.getFileName().toString().equals(keep)) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            LOG.debug("No files of other models in {}", folder, e);
        }
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
