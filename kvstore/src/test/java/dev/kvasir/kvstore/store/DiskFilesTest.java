package dev.kvasir.kvstore.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Blocks;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DiskFilesTest {
    private static final long MIB = 1 << 20;

    @TempDir
    private Path folder;

    private static BlockFormat model(String fingerprint) {
        return new BlockFormat(fingerprint, "F32", 16, 1, 1000);
    }

    /** A file of so many bytes, as a tier would have left it so long ago. */
    private Path left(BlockFormat format, long bytes, long ageMillis) throws IOException {
        var ofModel = new DiskFiles(folder, 10 * MIB).folder(format);
        var path = DiskTier.file(ofModel, format);
        var limits = new DiskTier.Limits(bytes, 1_000_000_000, 1_000);
        new DiskTier(format, ofModel, BlockFile::open, limits, System::nanoTime, new Nobody())
                .start()
                .close();
        try (var file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(1), bytes - 1);
        }
        Files.setLastModifiedTime(path, FileTime.fromMillis(1_000_000_000_000L - ageMillis));
        return path;
    }

    private static final class Nobody implements DiskTier.Listener {
        @Override
        public void stored(StoredBlock block) {}

        @Override
        public void evicted(StoredBlock block) {}
    }

    @Test
    void aModelThatComesBackFindsItsBlocks() {
        var told = new AtomicInteger();
        var format = model("0123456789abcdef0123");
        var other = model("fedcba9876543210");
        keepOne(format, told);
        assertThat(told).hasValue(1);
        new DiskFiles(folder, 10 * MIB).makeRoom(List.of(other));
        told.set(0);
        try (var tier = open(format, told)) {
            while (told.get() == 0) {
                Thread.onSpinWait(); // It looks through its file in the background.
            }
            assertThat(tier.size()).isEqualTo(1);
        }
    }

    private DiskTier open(BlockFormat format, AtomicInteger told) {
        var files = new DiskFiles(folder, 10 * MIB);
        var limits = new DiskTier.Limits(files.makeRoom(List.of(format)), 60_000_000_000L, 1_000);
        return new DiskTier(
                        format,
                        files.folder(format),
                        BlockFile::open,
                        limits,
                        System::nanoTime,
                        new DiskTier.Listener() {
                            @Override
                            public void stored(StoredBlock block) {
                                told.incrementAndGet();
                            }

                            @Override
                            public void evicted(StoredBlock block) {
                                told.decrementAndGet();
                            }
                        })
                .start();
    }

    private void keepOne(BlockFormat format, AtomicInteger told) {
        try (var tier = open(format, told)) {
            while (tier.isOpening()) { // Until then it takes nothing.
                Thread.onSpinWait();
            }
            var bytes = MemorySegment.ofArray(new byte[format.blockBytes()]);
            Blocks.fill(bytes, Blocks.hash(1, 0));
            tier.offer(Blocks.stored(format, 1, 0), bytes);
            while (tier.size() == 0) {
                Thread.onSpinWait();
            }
        }
    }

    @Test
    void allFilesTogetherStayWithinTheBoundAndTheOldestGoFirst() throws IOException {
        var oldest = left(model("aaaa"), 3 * MIB, 3000);
        var older = left(model("bbbb"), 2 * MIB, 2000);
        var recent = left(model("cccc"), 2 * MIB, 1000);
        assertThat(new DiskFiles(folder, 10 * MIB).makeRoom(List.of(model("dddd"))))
                .isEqualTo(6 * MIB);
        assertThat(oldest).doesNotExist();
        assertThat(older).exists();
        assertThat(recent).exists();
    }

    @Test
    void aFileThatHadMoreRoomIsShortened() throws IOException {
        var own = left(model("aaaa"), 9 * MIB, 1000);
        left(model("bbbb"), 4 * MIB, 2000);
        assertThat(new DiskFiles(folder, 10 * MIB).makeRoom(List.of(model("aaaa"))))
                .isEqualTo(6 * MIB);
        assertThat(own).hasSize(6 * MIB);
    }

    @Test
    void whatElseLiesInTheFolderIsLeftAlone() throws IOException {
        var foreign = Files.writeString(folder.resolve("notes.txt"), "mine");
        var beside =
                Files.writeString(Files.createDirectory(folder.resolve("aaaa")).resolve("blocks.txt"), "mine");
        new DiskFiles(folder, MIB).makeRoom(List.of(model("aaaa")));
        assertThat(foreign).hasContent("mine");
        assertThat(beside).hasContent("mine");
    }

    @Test
    void aFileThatSomebodyHasOpenIsLeftAlone() throws IOException {
        var used = left(model("aaaa"), 8 * MIB, 3000);
        try (var _ = BlockFile.open(used)) {
            new DiskFiles(folder, 10 * MIB).makeRoom(List.of(model("dddd")));
            assertThat(used).hasSize(8 * MIB);
        }
    }

    @Test
    void theModelThatWasServedLastIsFoundFirst() throws IOException {
        left(model("aaaa"), MIB, 2000);
        left(model("bbbb"), MIB, 1000);
        assertThat(new DiskFiles(folder, 10 * MIB).formats()).containsExactly(model("bbbb"), model("aaaa"));
        assertThat(new DiskFiles(folder.resolve("nowhere"), MIB).formats()).isEmpty();
    }
}
