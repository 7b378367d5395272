package dev.kvasir.kvstore.tier;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskTierTest {
    private static final int STRIDE = 4096;
    private static final DiskTier.Limits LIMITS = new DiskTier.Limits(4096 + 8 * STRIDE, 1_000_000_000, 1_000);

    @TempDir
    private Path folder;

    /** What the tier said it has. */
    private final Set<BlockHash> told = ConcurrentHashMap.newKeySet();

    private final DiskTier.Listener listener = new DiskTier.Listener() {
        @Override
        public void stored(StoredBlock block) {
            told.add(block.hash());
        }

        @Override
        public void evicted(StoredBlock block) {
            told.remove(block.hash());
        }
    };

    /** A disk that can be made to fail or to be slow. */
    private static final class Disk implements BlockFile.Opener {
        volatile boolean fails;
        volatile boolean lacksMemory;
        volatile long fullAt = Long.MAX_VALUE;
        volatile @Nullable AtomicLong slowBy;
        volatile long slowNanos;
        volatile @Nullable CountDownLatch gate;
        final AtomicInteger atGate = new AtomicInteger();

        @Override
        public BlockFile open(Path path) throws IOException {
            if (fails) {
                throw new IOException("Input/output error");
            }
            var file = BlockFile.open(path);
            return new BlockFile() {
                @Override
                public long size() throws IOException {
                    return file.size();
                }

                @Override
                public boolean read(ByteBuffer to, long at) throws IOException {
                    pass();
                    trouble();
                    return file.read(to, at);
                }

                @Override
                public void write(ByteBuffer from, long at) throws IOException {
                    trouble();
                    pass();
                    if (at + from.remaining() > fullAt) {
                        throw new IOException("No space left on device");
                    }
                    file.write(from, at);
                }

                @Override
                public void close() throws IOException {
                    file.close();
                }
            };
        }

        private void pass() throws IOException {
            var closed = gate;
            if (closed != null) {
                atGate.incrementAndGet();
                try {
                    assertThat(closed.await(20, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
        }

        private void trouble() throws IOException {
            var clock = slowBy;
            if (clock != null) {
                clock.addAndGet(slowNanos);
            }
            if (fails) {
                throw new IOException("Input/output error");
            }
            if (lacksMemory) {
                throw new OutOfMemoryError("Cannot reserve 80 bytes of direct buffer memory");
            }
        }
    }

    private DiskTier open(BlockFormat format, BlockFile.Opener opener) {
        return opened(new DiskTier(format, folder, opener, LIMITS, System::nanoTime, listener).start());
    }

    private static DiskTier opened(DiskTier tier) {
        while (tier.isOpening()) {
            Thread.onSpinWait();
        }
        return tier;
    }

    private static void offer(DiskTier tier, int chain, int depth) {
        try (var arena = Arena.ofConfined()) {
            var bytes = arena.allocate(Blocks.FORMAT.blockBytes());
            Blocks.fill(bytes, Blocks.hash(chain, depth));
            tier.offer(Blocks.stored(Blocks.FORMAT, chain, depth), bytes);
        }
    }

    private static void awaitWritten(DiskTier tier, int chain, int depth) {
        while (!tier.contains(Blocks.hash(chain, depth)) && !tier.isOff()) {
            Thread.onSpinWait();
        }
    }

    private static boolean reads(DiskTier tier, int chain, int depth) {
        try (var arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Blocks.FORMAT.blockBytes());
            var block = tier.read(Blocks.hash(chain, depth), bytes);
            assertThat(block == null || Blocks.holds(bytes, Blocks.hash(chain, depth)))
                    .as("what is given out is right")
                    .isTrue();
            return block != null;
        }
    }

    private Path file() throws IOException {
        try (var files = Files.list(folder)) {
            return files.findFirst().orElseThrow();
        }
    }

    private void writeChain(int count) {
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            for (int depth = 0; depth < count; depth++) {
                offer(tier, 1, depth);
                awaitWritten(tier, 1, depth);
            }
        }
        told.clear();
    }

    private void damage(long at, byte[] bytes) throws IOException {
        try (var raw = new RandomAccessFile(file().toFile(), "rw")) {
            raw.seek(at);
            raw.write(bytes);
        }
    }

    @Test
    void blocksOutliveTheProcess() {
        writeChain(5);
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            assertThat(tier.size()).isEqualTo(5);
            assertThat(told).hasSize(5);
            for (int depth = 0; depth < 5; depth++) {
                assertThat(reads(tier, 1, depth)).isTrue();
            }
            assertThat(tier.rejected()).isZero();
        }
        assertThat(DiskTitle.format(DiskTier.file(folder, Blocks.FORMAT))).contains(Blocks.FORMAT);
    }

    @Test
    void wantOfMemoryOutsideOfTheHeapSwitchesItOffAndEndsNoThread() {
        writeChain(1);
        var disk = new Disk();
        disk.lacksMemory = true;
        var clock = new AtomicLong();
        try (var tier = new DiskTier(Blocks.FORMAT, folder, disk, LIMITS, clock::get, listener)) {
            tier.step();
            assertThat(tier.isOpening()).isFalse();
            assertThat(tier.reason()).contains("direct buffer memory");
            disk.lacksMemory = false;
            clock.set(LIMITS.pauseNanos());
            tier.step();
            assertThat(tier.isOff()).isFalse();
            assertThat(reads(tier, 1, 0)).isTrue();
            disk.lacksMemory = true;
            assertThat(reads(tier, 1, 0)).isFalse();
            assertThat(tier.reason()).contains("direct buffer memory");
        }
    }

    @Test
    void aFlippedBitCostsThatBlockOnly() throws IOException {
        writeChain(3);
        // Slots are given from the first on.
        damage(4096 + STRIDE + FrameHeader.BYTES + 500, new byte[] {77});
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            assertThat(reads(tier, 1, 0)).isTrue();
            assertThat(reads(tier, 1, 1)).isFalse();
            assertThat(reads(tier, 1, 2)).isTrue();
            assertThat(tier.contains(Blocks.hash(1, 1))).isFalse();
            assertThat(told).doesNotContain(Blocks.hash(1, 1));
            assertThat(tier.rejected()).isEqualTo(1);
            assertThat(tier.isOff()).isFalse();
        }
    }

    @Test
    void aTornHeaderAndATruncatedFileCostTheBlocksTheyHit() throws IOException {
        writeChain(4);
        damage(4096 + 20, new byte[] {1, 2, 3});
        try (var raw = new RandomAccessFile(file().toFile(), "rw")) {
            raw.setLength(4096 + 3L * STRIDE + 200);
        }
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            assertThat(reads(tier, 1, 0)).isFalse();
            assertThat(reads(tier, 1, 1)).isTrue();
            assertThat(reads(tier, 1, 2)).isTrue();
            assertThat(reads(tier, 1, 3)).isFalse();
            assertThat(tier.isOff()).isFalse();
            offer(tier, 2, 0);
            awaitWritten(tier, 2, 0);
            assertThat(reads(tier, 2, 0)).isTrue();
        }
    }

    @Test
    void anotherModelsBlocksAndFilesAreNotBelieved() throws IOException {
        writeChain(2);
        var other = new BlockFormat("other", "F32", 16, 1, Blocks.FORMAT.blockBytes());
        var own = file();
        try (var tier = open(other, BlockFile::open)) {
            assertThat(tier.size()).isZero();
        }
        // The other model's file under this one's name.
        var foreign = folder.resolve("blocks-%08x.kv".formatted(FrameHeader.digest(other)));
        Files.move(own, foreign, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        try (var tier = open(other, BlockFile::open)) {
            assertThat(tier.size()).isZero();
            assertThat(tier.rejected()).isPositive();
        }
    }

    @Test
    void aFileOfNoiseIsOverwritten() throws IOException {
        writeChain(2);
        var noise = new byte[100_000];
        new java.util.Random(3).nextBytes(noise);
        Files.write(file(), noise);
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            assertThat(tier.size()).isZero();
            assertThat(tier.rejected()).isPositive();
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            assertThat(reads(tier, 1, 0)).isTrue();
        }
    }

    @Test
    void aFullDiskSwitchesTheTierOffAndItComesBack() {
        var disk = new Disk();
        disk.fullAt = 4096 + 2 * STRIDE;
        try (var tier = open(Blocks.FORMAT, disk)) {
            for (int chain = 0; chain < 4; chain++) {
                offer(tier, chain, 0);
            }
            while (tier.switchedOff() == 0) {
                Thread.onSpinWait();
            }
            disk.fullAt = Long.MAX_VALUE;
            while (tier.isOff()) {
                Thread.onSpinWait();
            }
            offer(tier, 9, 0);
            awaitWritten(tier, 9, 0);
            assertThat(reads(tier, 9, 0)).isTrue();
        }
    }

    @Test
    void aFailingDiskIsOffFromTheStartAndServesNothing() {
        var disk = new Disk();
        disk.fails = true;
        var patient = new DiskTier.Limits(LIMITS.bytesMax(), LIMITS.slow(), 3_600_000_000_000L);
        try (var tier =
                opened(new DiskTier(Blocks.FORMAT, folder, disk, patient, System::nanoTime, listener).start())) {
            assertThat(tier.isOff()).isTrue();
            assertThat(tier.reason()).contains("Input/output error");
            offer(tier, 1, 0);
            assertThat(reads(tier, 1, 0)).isFalse();
            assertThat(told).isEmpty();
        }
    }

    @Test
    void aDiskThatFailsInBetweenTakesItsBlocksBack() {
        var disk = new Disk();
        var patient = new DiskTier.Limits(LIMITS.bytesMax(), LIMITS.slow(), 3_600_000_000_000L);
        try (var tier =
                opened(new DiskTier(Blocks.FORMAT, folder, disk, patient, System::nanoTime, listener).start())) {
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            assertThat(told).hasSize(1);
            disk.fails = true;
            assertThat(reads(tier, 1, 0)).isFalse();
            assertThat(tier.isOff()).isTrue();
            assertThat(told).isEmpty();
        }
    }

    @Test
    void aSlowDiskIsSwitchedOff() {
        var clock = new AtomicLong();
        var disk = new Disk();
        var limits = new DiskTier.Limits(LIMITS.bytesMax(), 1_000_000, Long.MAX_VALUE / 4);
        try (var tier = opened(new DiskTier(Blocks.FORMAT, folder, disk, limits, clock::get, listener).start())) {
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            disk.slowNanos = 2_000_000;
            disk.slowBy = clock;
            for (int i = 0; i < 3; i++) {
                assertThat(tier.isOff()).isFalse();
                reads(tier, 1, 0);
            }
            assertThat(tier.isOff()).isTrue();
            assertThat(tier.reason()).contains("more than 1 ms");
        }
    }

    @Test
    void nobodyWaitsForADiskThatHangsWhileItIsOpened() {
        writeChain(2);
        var disk = new Disk();
        var gate = new CountDownLatch(1);
        disk.gate = gate;
        try (var tier = new DiskTier(Blocks.FORMAT, folder, disk, LIMITS, System::nanoTime, listener).start()) {
            awaitAtGate(disk);
            offer(tier, 5, 0);
            assertThat(tier.contains(Blocks.hash(1, 0))).isFalse();
            assertThat(tier.isOpening()).isTrue();
            disk.gate = null;
            gate.countDown();
            assertThat(opened(tier).size()).isEqualTo(2);
            assertThat(reads(tier, 1, 0)).isTrue();
        }
    }

    @Test
    void aDiskThatHangsIsSwitchedOffWhileItHangs() throws InterruptedException {
        var clock = new AtomicLong();
        var disk = new Disk();
        var limits = new DiskTier.Limits(LIMITS.bytesMax(), 1_000_000, Long.MAX_VALUE / 4);
        try (var tier = opened(new DiskTier(Blocks.FORMAT, folder, disk, limits, clock::get, listener).start())) {
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            var gate = new CountDownLatch(1);
            disk.gate = gate;
            var hanging = new ArrayList<Thread>();
            for (int reader = 1; reader <= 4; reader++) {
                hanging.add(Thread.ofPlatform().start(() -> reads(tier, 1, 0)));
                awaitAtGate(disk, reader);
            }
            assertThat(reads(tier, 1, 0)).as("one more than may wait").isFalse();
            assertThat(tier.contains(Blocks.hash(1, 0))).isTrue();
            clock.addAndGet(5_000_000);
            assertThat(tier.contains(Blocks.hash(1, 0))).isFalse();
            assertThat(tier.isOff()).isTrue();
            assertThat(tier.reason()).contains("has not ended for 5 ms");
            assertThat(told).isEmpty();
            gate.countDown();
            for (var thread : hanging) {
                thread.join();
            }
            assertThat(tier.switchedOff()).isEqualTo(1);
        }
    }

    @Test
    void aWriteThatEndsAfterTheTierWasSwitchedOffIsNotCountedAsKept() {
        var disk = new Disk();
        var patient = new DiskTier.Limits(LIMITS.bytesMax(), LIMITS.slow(), 3_600_000_000_000L);
        try (var tier =
                opened(new DiskTier(Blocks.FORMAT, folder, disk, patient, System::nanoTime, listener).start())) {
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            var gate = new CountDownLatch(1);
            disk.gate = gate;
            offer(tier, 2, 0);
            awaitAtGate(disk);
            disk.gate = null;
            disk.fails = true;
            assertThat(reads(tier, 1, 0)).isFalse();
            assertThat(tier.isOff()).isTrue();
            gate.countDown();
        }
        assertThat(told).isEmpty();
        assertThat(disk.fails).isTrue();
    }

    @Test
    void aReaderOfAFileThatWasGivenUpDoesNotSwitchTheNextOneOff() throws InterruptedException {
        var disk = new Disk();
        try (var tier = open(Blocks.FORMAT, disk)) {
            offer(tier, 1, 0);
            awaitWritten(tier, 1, 0);
            var gate = new CountDownLatch(1);
            disk.gate = gate;
            var late = Thread.ofPlatform().start(() -> reads(tier, 1, 0));
            awaitAtGate(disk);
            disk.gate = null;
            disk.fails = true;
            assertThat(reads(tier, 1, 0)).isFalse();
            disk.fails = false;
            while (tier.isOff()) {
                Thread.onSpinWait();
            }
            long before = tier.switchedOff();
            gate.countDown();
            late.join();
            assertThat(tier.isOff()).isFalse();
            assertThat(tier.switchedOff()).isEqualTo(before);
            assertThat(reads(tier, 1, 0)).isTrue();
        }
    }

    private static void awaitAtGate(Disk disk) {
        awaitAtGate(disk, 1);
    }

    private static void awaitAtGate(Disk disk, int operations) {
        while (disk.atGate.get() < operations) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aFileThatAnotherHasOpenIsLeftAlone() {
        try (var first = open(Blocks.FORMAT, BlockFile::open)) {
            offer(first, 1, 0);
            awaitWritten(first, 1, 0);
            try (var second = opened(new DiskTier(
                            Blocks.FORMAT,
                            folder,
                            BlockFile::open,
                            new DiskTier.Limits(LIMITS.bytesMax(), LIMITS.slow(), 3_600_000_000_000L),
                            System::nanoTime,
                            listener)
                    .start())) {
                assertThat(second.isOff()).isTrue();
                assertThat(second.reason()).contains("has the file open");
            }
            assertThat(reads(first, 1, 0)).isTrue();
        }
    }

    @Test
    void moreThanFitsPushesTheOldestOut() {
        try (var tier = open(Blocks.FORMAT, BlockFile::open)) {
            for (int chain = 0; chain < 20; chain++) {
                offer(tier, chain, 0);
                awaitWritten(tier, chain, 0);
            }
            assertThat(tier.size()).isEqualTo(tier.capacity()).isEqualTo(8);
            assertThat(told)
                    .isEqualTo(new HashSet<>(
                            tier.blocks().stream().map(StoredBlock::hash).toList()));
            assertThat(reads(tier, 19, 0)).isTrue();
            assertThat(reads(tier, 0, 0)).isFalse();
        }
    }
}
