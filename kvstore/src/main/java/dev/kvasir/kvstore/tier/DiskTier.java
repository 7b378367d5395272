package dev.kvasir.kvstore.tier;

import dev.kvasir.kvstore.hash.BlockHash;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Blocks of one format in a file of fixed size, which outlive the process. One thread opens and writes it, {@link #start} or
 * whoever calls {@link #step}; what it cannot keep up with is not kept. Nobody but readers of a block waits for the disk, and
 * no lock is held meanwhile. Nothing that is read is believed before its header and checksum were found right, so that a
 * torn write, a flipped bit, another model's file or an old version cost a block and no more. A disk that fails, is full or
 * slow switches itself off, says why, and is tried again later; everything else goes on without it. Thread-safe. What lies
 * where in the file: {@link DiskLayout}.
 */
public final class DiskTier implements AutoCloseable {
    /** Told of blocks that can be read now, or no longer. */
    public interface Listener {
        void stored(StoredBlock block);

        void evicted(StoredBlock block);

        /** The file was opened and looked through. */
        default void opened(int blocks) {}

        /** The file was of another model or version. */
        default void overwritten() {}

        /** It is not used for a while. */
        default void switchedOff(String why) {}
    }

    /**
     * Bounds.
     *
     * @param bytesMax of the file
     * @param slow operations that take longer are slow
     * @param pauseNanos after which a disk that was switched off is tried again, the first time
     */
    public record Limits(long bytesMax, long slow, long pauseNanos) {}

    /** Names of the files. */
    public static final String FILES = "blocks-*.kv";

    private static final Logger LOG = LoggerFactory.getLogger(DiskTier.class);
    private static final int WRITES_WAITING_MAX = 64;
    private static final int BYTES_WAITING_MAX = 64 << 20;
    /** More readers would all wait where a disk hangs. */
    private static final int READERS_MAX = 4;

    /** A block on its way to disk; the bytes are a copy. */
    private static final class Write {
        private final StoredBlock block;
        private final byte[] bytes;

        Write(StoredBlock block, byte[] bytes) {
            this.block = block;
            this.bytes = bytes;
        }

        StoredBlock block() {
            return block;
        }
    }

    private final Path path;
    private final BlockFile.Opener opener;
    private final LongSupplier clock;
    private final Listener listener;
    private final Limits limits;
    private final DiskLayout layout;
    private final DiskHealth health;
    private final ArrayBlockingQueue<Write> writes;
    private final AtomicLong rejected = new AtomicLong();
    private final AtomicLong switchedOff = new AtomicLong();
    private final AtomicLong dropped = new AtomicLong();
    private final Semaphore readers = new Semaphore(READERS_MAX);
    private final Thread writer;

    private TierIndex index = new TierIndex();
    private List<Integer> free = new ArrayList<>();
    private @Nullable BlockFile file;
    private boolean opening = true;
    private volatile boolean closed;

    /**
     * The file of a format in {@code folder}, not opened yet.
     *
     * @param clock nanoseconds, monotonic
     */
    public DiskTier(
            BlockFormat format,
            Path folder,
            BlockFile.Opener opener,
            Limits limits,
            LongSupplier clock,
            Listener listener) {
        this.path = file(folder, format);
        this.opener = opener;
        this.clock = clock;
        this.listener = listener;
        this.limits = limits;
        this.layout = new DiskLayout(format, limits.bytesMax());
        this.health = new DiskHealth(limits.slow(), limits.pauseNanos());
        this.writes = new ArrayBlockingQueue<>(Math.clamp(BYTES_WAITING_MAX / layout.stride(), 1, WRITES_WAITING_MAX));
        this.writer = Thread.ofPlatform().name("kvasir-disk").daemon().unstarted(this::writeAll);
    }

    /** Begins to open the file and to take up what is sound in it, and to write what is offered. */
    public DiskTier start() {
        writer.start();
        return this;
    }

    private void open() {
        @Nullable BlockFile opened = null;
        try {
            opened = opener.open(path);
            install(opened, layout.hasTitle(opened) ? takeUp(opened) : begin(opened));
        } catch (IOException | OutOfMemoryError e) { // There may be no memory outside of the heap.
            close(opened);
            synchronized (this) {
                opening = false;
                switchOff("it cannot be opened: " + e.getMessage());
            }
        }
    }

    private synchronized void install(BlockFile opened, DiskContent content) {
        opening = false;
        if (closed) {
            close(opened);
            return;
        }
        health.on();
        file = opened;
        index = content.index();
        free = content.free();
        listener.opened(index.size());
        index.entries().forEach(entry -> listener.stored(entry.block()));
    }

    private DiskContent begin(BlockFile of) throws IOException {
        if (of.size() > 0) {
            rejected.incrementAndGet();
            listener.overwritten();
        }
        layout.writeTitle(of);
        return DiskContent.none(layout);
    }

    private DiskContent takeUp(BlockFile from) throws IOException {
        var speed = new DiskHealth(limits.slow(), limits.pauseNanos());
        var content = DiskContent.of(from, layout, speed, clock, () -> closed);
        rejected.addAndGet(content.rejected());
        return content;
    }

    /** The file of a format in a folder. */
    public static Path file(Path folder, BlockFormat format) {
        return folder.resolve("blocks-%08x.kv".formatted(FrameHeader.digest(format)));
    }

    /** Keeps a block, some time later, if the disk can. The bytes are copied. */
    public void offer(StoredBlock block, MemorySegment bytes) {
        synchronized (this) {
            lookForHang();
            if (file == null || layout.slots() == 0 || index.get(block.hash()) != null) {
                return;
            }
        }
        if (writes.remainingCapacity() == 0 || !writes.offer(new Write(block, bytes.toArray(ValueLayout.JAVA_BYTE)))) {
            dropped.incrementAndGet();
        }
    }

    private void writeAll() {
        open();
        while (!closed) {
            try {
                step(writes.poll(200, TimeUnit.MILLISECONDS));
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /** What its thread does at a time: opens the file, or writes a block that waits, or tries a disk again that was off. */
    public void step() {
        if (isOpening()) {
            open();
        } else {
            step(writes.poll());
        }
    }

    private void step(@Nullable Write write) {
        if (write != null) {
            write(write);
        }
        tryAgain();
    }

    private void write(Write write) {
        int slot;
        BlockFile to;
        synchronized (this) {
            to = file;
            if (to == null || index.get(write.block().hash()) != null) {
                return;
            }
            slot = takeSlot();
            if (slot < 0) {
                return;
            }
            health.begun(write, clock.getAsLong());
        }
        long start = clock.getAsLong();
        try {
            layout.write(to, slot, write.block(), write.bytes);
            written(write.block(), slot, to, start);
        } catch (IOException | OutOfMemoryError e) { // There may be no memory outside of the heap.
            failed(to, "writing failed: " + e.getMessage());
        } finally {
            ended(write);
        }
    }

    private synchronized void ended(Object operation) {
        health.ended(operation);
    }

    /** Nobody waits for a disk that hangs, and so nobody notices but those who come by. */
    private void lookForHang() {
        if (file != null && health.hangs(clock.getAsLong())) {
            off(health.reason());
        }
    }

    private synchronized void written(StoredBlock block, int slot, BlockFile to, long start) {
        if (to.equals(file)) { // Else the tier was switched off meanwhile, and its index is another.
            index.add(block, slot);
            listener.stored(block);
            measured(to, start);
        }
    }

    private int takeSlot() {
        if (!free.isEmpty()) {
            return free.removeLast();
        }
        var entry = index.evict();
        if (entry == null) {
            return -1;
        }
        listener.evicted(entry.block());
        return entry.slot();
    }

    private synchronized void measured(BlockFile of, long start) {
        long now = clock.getAsLong();
        if (of.equals(file) && health.succeeded(now - start, now)) {
            off(health.reason());
        }
    }

    /** Nothing, where the file was given up already. */
    private synchronized void failed(BlockFile of, String why) {
        if (of.equals(file)) {
            switchOff(why);
        }
    }

    private void switchOff(String why) {
        health.failed(why, clock.getAsLong());
        off(why);
    }

    private void off(String why) {
        switchedOff.incrementAndGet();
        listener.switchedOff(why);
        index.entries().forEach(entry -> listener.evicted(entry.block()));
        index = new TierIndex();
        writes.clear();
        var old = file;
        file = null;
        if (old != null) { // Which may wait for those who still read or write.
            Thread.ofPlatform().name("kvasir-disk-close").daemon().start(() -> close(old));
        }
    }

    private void close(@Nullable BlockFile old) {
        if (old != null) {
            try {
                old.close();
            } catch (IOException e) {
                LOG.debug("{} did not close", path, e);
            }
        }
    }

    private void tryAgain() {
        synchronized (this) {
            if (!health.mayTryAgain(clock.getAsLong())) {
                return;
            }
        }
        open();
    }

    /** Whether the file has not been looked through yet. */
    public synchronized boolean isOpening() {
        return opening;
    }

    public synchronized boolean contains(BlockHash hash) {
        lookForHang();
        return index.get(hash) != null;
    }

    /**
     * Reads a block into {@code to}, verified; null where it is not there, or not sound, which is then forgotten, or where
     * others have been reading for too long.
     */
    public @Nullable StoredBlock read(BlockHash hash, MemorySegment to) {
        try {
            if (!readers.tryAcquire(limits.slow(), TimeUnit.NANOSECONDS)) {
                return null;
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return null;
        }
        try {
            return readNow(hash, to);
        } finally {
            readers.release();
        }
    }

    private @Nullable StoredBlock readNow(BlockHash hash, MemorySegment to) {
        TierIndex.Entry entry;
        BlockFile from;
        long start = clock.getAsLong();
        var operation = new Object();
        synchronized (this) {
            entry = index.get(hash);
            from = file;
            if (entry == null || from == null) {
                return null;
            }
            index.touch(entry);
            index.pin(entry);
            health.begun(operation, start);
        }
        boolean sound = false;
        try {
            sound = layout.read(from, entry.slot(), entry.block(), to);
            measured(from, start);
        } catch (IOException | OutOfMemoryError e) {
            failed(from, "reading failed: " + e.getMessage());
        } finally {
            ended(operation);
            release(entry, sound);
        }
        return sound ? entry.block() : null;
    }

    private synchronized void release(TierIndex.Entry entry, boolean sound) {
        if (index.get(entry.block().hash()) != entry) {
            return; // The tier was switched off meanwhile.
        }
        index.unpin(entry);
        if (!sound) {
            rejected.incrementAndGet();
            index.unlist(entry);
            free.add(entry.slot());
            listener.evicted(entry.block());
        }
    }

    /** All blocks that can be read. */
    public synchronized List<StoredBlock> blocks() {
        var blocks = new ArrayList<StoredBlock>();
        index.entries().forEach(entry -> blocks.add(entry.block()));
        return blocks;
    }

    public synchronized int size() {
        return index.size();
    }

    /** Blocks that fit. */
    public int capacity() {
        return layout.slots();
    }

    public synchronized boolean isOff() {
        return health.isOff();
    }

    /** Why it is off; empty where it is not. */
    public synchronized String reason() {
        return health.reason();
    }

    /** Blocks and files that were not believed. */
    public long rejected() {
        return rejected.get();
    }

    /** How often the tier switched itself off. */
    public long switchedOff() {
        return switchedOff.get();
    }

    /** Blocks that the disk could not keep up with. */
    public long dropped() {
        return dropped.get();
    }

    /** Writes that wait, for tests. */
    int waiting() {
        return writes.size();
    }

    @Override
    public void close() {
        closed = true;
        try {
            writer.join(TimeUnit.SECONDS.toMillis(5));
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        BlockFile old;
        synchronized (this) {
            old = file;
            file = null;
        }
        close(old);
    }
}
