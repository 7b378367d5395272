package dev.kvasir.kvstore.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.tier.Blocks;
import dev.kvasir.kvstore.tier.DiskTier;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PoolTest {
    private static final int SLOT = 1024;

    @TempDir
    private Path folder;

    private Pool pool(int memoryBlocks) {
        var limits = new DiskTier.Limits(1 << 20, 1_000_000_000, 1_000);
        var pool = new Pool(
                Blocks.FORMAT,
                (long) memoryBlocks * SLOT,
                listener -> Optional.of(
                        new DiskTier(Blocks.FORMAT, folder, BlockFile::open, limits, System::nanoTime, listener)
                                .start()),
                System::nanoTime);
        pool.openDisk();
        while (disk(pool).isOpening()) {
            Thread.onSpinWait();
        }
        return pool;
    }

    private static DiskTier disk(Pool pool) {
        return Objects.requireNonNull(pool.disk());
    }

    private static void awaitOnDisk(Pool pool, int chain) {
        while (!disk(pool).contains(Blocks.hash(chain, 0))) {
            Thread.onSpinWait();
        }
    }

    @Test
    void whatMemoryHasNoRoomForGoesToDiskAndComesBack() {
        try (var pool = pool(2)) {
            for (int chain = 0; chain < 3; chain++) {
                Blocks.put(pool.memory(), chain, 0);
            }
            awaitOnDisk(pool, 0);
            assertThat(pool.memory().contains(Blocks.hash(0, 0))).isFalse();
            pool.bring(List.of(Blocks.hash(0, 0)));
            try (var pin = Objects.requireNonNull(pool.memory().pin(Blocks.hash(0, 0)))) {
                assertThat(Blocks.holds(pin.bytes(), Blocks.hash(0, 0))).isTrue();
            }
            assertThat(pool.memory().inUse()).isZero();
        }
    }

    @Test
    void aBlockThatWasDamagedInMemoryDoesNotGoToDisk() {
        try (var pool = pool(2)) {
            var reservation = Objects.requireNonNull(pool.memory().reserve());
            Blocks.fill(reservation.bytes(), Blocks.hash(9, 9));
            reservation.publish(Blocks.stored(Blocks.FORMAT, 1, 0));
            try (var pin = Objects.requireNonNull(pool.memory().pin(Blocks.hash(1, 0)))) {
                assertThat(pin.verify()).isFalse();
            }
            for (int chain = 2; chain < 5; chain++) {
                Blocks.put(pool.memory(), chain, 0);
            }
            // Blocks are written in the order in which they went.
            awaitOnDisk(pool, 2);
            assertThat(disk(pool).contains(Blocks.hash(1, 0))).isFalse();
        }
    }
}
