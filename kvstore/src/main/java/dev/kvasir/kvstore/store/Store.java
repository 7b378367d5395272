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
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * All blocks of a kvstore. Each format of blocks has a pool: each model, and each way of computing one. They share memory
 * and disk, {@link Shares}; when there are too many, the one goes that was asked for least recently. Thread-safe.
 *
 * <p>Disk files are opened and closed by a thread of its own, since that may take a while.
 */
final class Store implements BlockHost, AutoCloseable {
    static final int POOLS_MAX = 8;

    private static final long LOOK_MILLIS = 1_000;
    private static final long CLOSE_MILLIS = 10_000;
    private static final long TOUCH_NANOS = 60_000_000_000L;

    private final long incarnation;
    private final KvStoreConfig config;
    private final DiskFiles files;
    private final BlockFile.Opener opener;
    private final LongSupplier clock;
    private final Consumer<Pool> added;
    private final Consumer<Pool> removed;
    private final Map<BlockFormat, Pool> pools = new LinkedHashMap<>(16, 0.75f, true);

    /** Pools with open files; some may be gone. Of the keeper's thread. */
    private volatile Set<Pool> onDisk = Set.of();

    private volatile long diskBytesEach;
    private final Semaphore changed = new Semaphore(0);
    private final Thread keeper;
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
        this.keeper = Thread.ofVirtual().name("kvasir-kvstore").unstarted(this::keep);
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

    /** Takes up what an earlier life has left on disk of what was served last, and begins to look after shares. */
    void start() {
        if (config.disk() > 0) {
            files.formats().stream().limit(POOLS_MAX).toList().reversed().forEach(this::open);
        }
        keeper.start();
    }

    private void keep() {
        try {
            long touched = clock.getAsLong();
            while (!isClosed()) {
                boolean _ = changed.tryAcquire(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                changed.drainPermits();
                share();
                shareDisk();
                if (clock.getAsLong() - touched > TOUCH_NANOS) {
                    touched = clock.getAsLong();
                    touchFiles();
                }
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    private synchronized @Nullable Pool open(BlockFormat format) {
        if (closed || format.blockBytes() > config.memory()) {
            return null;
        }
        var pool = pools.get(format);
        if (pool == null) {
            if (pools.size() == POOLS_MAX) {
                var oldest = pools.values().iterator().next();
                pools.remove(oldest.format());
                removed.accept(oldest);
                oldest.memory().close();
            }
            pool = new Pool(format, config.memory(), listener -> disk(format, listener), clock);
            pools.put(format, pool);
            share();
            added.accept(pool);
            changed.release();
        }
        pool.used();
        return pool;
    }

    /** Gives each pool its part of memory, as far as others have given theirs back. */
    synchronized void share() {
        var all = List.copyOf(pools.values());
        long[] parts =
                Shares.of(config.memory(), all.stream().map(Pool::idleNanos).toList());
        long late = 0;
        for (int i = 0; i < parts.length; i++) {
            var memory = all.get(i).memory();
            if (memory.bytesHeld() > parts[i]) {
                memory.limit(parts[i]);
                // What somebody reads or writes just now goes a little later, and is missing elsewhere until then.
                late += Math.max(0, memory.bytesHeld() - parts[i]);
            }
        }
        for (int i = 0; i < parts.length; i++) {
            var memory = all.get(i).memory();
            memory.limit(Math.min(parts[i], Math.max(memory.bytesHeld(), parts[i] - late)));
        }
    }

    /** Opens all files anew, each with its part of the room, where there are others than before. */
    private void shareDisk() {
        var now = Set.copyOf(pools());
        if (config.disk() == 0 || now.isEmpty() || now.equals(onDisk)) {
            return;
        }
        onDisk.forEach(Pool::closeDisk);
        diskBytesEach = files.makeRoom(now.stream().map(Pool::format).toList());
        now.forEach(Pool::openDisk);
        onDisk = now;
    }

    /** So that a later life takes up what was in use. */
    private void touchFiles() {
        for (var pool : onDisk) {
            if (pool.idleNanos() < TOUCH_NANOS) {
                files.touch(pool.format());
            }
        }
    }

    private Optional<DiskTier> disk(BlockFormat format, DiskTier.Listener listener) {
        var limits = new DiskTier.Limits(
                diskBytesEach, config.diskSlow().toNanos(), config.diskRetry().toNanos());
        var folder = files.folder(format);
        var heard = new DiskLog(DiskTier.file(folder, format), listener);
        return Optional.of(new DiskTier(format, folder, opener, limits, clock, heard).start());
    }

    @Override
    public void bring(BlockFormat format, List<BlockHash> hashes) {
        var pool = held(format);
        if (pool != null) {
            pool.bring(hashes);
        }
    }

    private synchronized @Nullable Pool held(BlockFormat format) {
        var pool = pools.get(format);
        if (pool != null) {
            pool.used();
        }
        return pool;
    }

    /** Pools there are. */
    synchronized List<Pool> pools() {
        return List.copyOf(pools.values());
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        changed.release();
        try {
            keeper.join(CLOSE_MILLIS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        pools().forEach(pool -> pool.memory().close());
        onDisk.forEach(Pool::closeDisk);
    }
}
