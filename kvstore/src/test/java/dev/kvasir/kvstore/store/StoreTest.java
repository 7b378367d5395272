package dev.kvasir.kvstore.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.kvstore.KvStoreConfig;
import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Blocks;
import dev.kvasir.kvstore.tier.MemoryTier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several models, or several ways of computing one, in one kvstore. */
final class StoreTest {
    private static final int BLOCK_BYTES = 64_000;
    private static final long MIB = 1 << 20;
    private static final BlockFormat ONE = format("one");
    private static final BlockFormat OTHER = format("other");

    @TempDir
    private Path folder;

    private final List<Pool> added = new ArrayList<>();
    private final List<Pool> removed = new ArrayList<>();

    private static BlockFormat format(String fingerprint) {
        return new BlockFormat(fingerprint, "F32", 16, 1, BLOCK_BYTES);
    }

    private Store store(String settings) {
        var store = new Store(
                7,
                KvStoreConfig.from(ConfigFactory.parseString(settings)),
                folder,
                BlockFile::open,
                System::nanoTime,
                added::add,
                removed::add);
        store.start();
        return store;
    }

    private static MemoryTier taking(Store store, BlockFormat format) {
        return Objects.requireNonNull(store.taking(format));
    }

    private static boolean has(Store store, BlockFormat format, int chain) {
        var tier = store.tier(format);
        try (var pin = tier == null ? null : tier.pin(Blocks.hash(chain, 0))) {
            return pin != null && pin.verify();
        }
    }

    private static Pool pool(Store store, BlockFormat format) {
        return store.pools().stream()
                .filter(pool -> pool.format().equals(format))
                .findFirst()
                .orElseThrow();
    }

    private static void awaitOnDisk(Store store, BlockFormat format, int chain) {
        while (true) {
            var disk = store.pools().stream()
                    .filter(pool -> pool.format().equals(format))
                    .findFirst()
                    .map(Pool::disk)
                    .orElse(null);
            if (disk != null && disk.contains(Blocks.hash(chain, 0))) {
                return;
            }
            Thread.onSpinWait();
        }
    }

    private static void awaitDisk(Store store, BlockFormat format) {
        while (pool(store, format).disk() == null
                || Objects.requireNonNull(pool(store, format).disk()).isOpening()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void twoModelsLiveSideBySideInMemory() {
        try (var store = store("memory = 4 MiB")) {
            for (int chain = 0; chain < 10; chain++) {
                Blocks.put(taking(store, ONE), chain, 0);
                Blocks.put(taking(store, OTHER), 100 + chain, 0);
            }
            for (int chain = 0; chain < 10; chain++) {
                assertThat(has(store, ONE, chain)).isTrue();
                assertThat(has(store, OTHER, 100 + chain)).isTrue();
                assertThat(has(store, OTHER, chain)).isFalse();
            }
            assertThat(added).hasSize(2);
            assertThat(removed).isEmpty();
        }
    }

    @Test
    void aModelThatHadAllMemoryGivesHalfOfItAndKeepsWhatWasUsedLast() {
        try (var store = store("memory = 4 MiB")) {
            int blocks = (int) (4 * MIB / BLOCK_BYTES);
            for (int chain = 0; chain < blocks; chain++) {
                Blocks.put(taking(store, ONE), chain, 0);
            }
            taking(store, OTHER);
            assertThat(held(store)).isLessThanOrEqualTo(4 * MIB);
            for (int chain = 0; chain < blocks; chain++) {
                Blocks.put(taking(store, OTHER), 1000 + chain, 0);
            }
            assertThat(held(store)).isLessThanOrEqualTo(4 * MIB);
            assertThat(has(store, ONE, 0)).isFalse();
            for (int chain = blocks - blocks / 3; chain < blocks; chain++) {
                assertThat(has(store, ONE, chain)).isTrue();
                assertThat(has(store, OTHER, 1000 + chain)).isTrue();
            }
        }
    }

    private static long held(Store store) {
        return store.pools().stream()
                .mapToLong(pool -> pool.memory().bytesHeld())
                .sum();
    }

    @Test
    void whatIsBeingReadStaysUntilItWasReadAndItsMemoryIsNotGivenTwice() {
        try (var store = store("memory = 4 MiB")) {
            int blocks = (int) (4 * MIB / BLOCK_BYTES);
            for (int chain = 0; chain < blocks; chain++) {
                Blocks.put(taking(store, ONE), chain, 0);
            }
            var pins = new ArrayList<MemoryTier.Pin>();
            for (int chain = 0; chain < blocks; chain++) {
                var pin = taking(store, ONE).pin(Blocks.hash(chain, 0));
                if (pin != null) {
                    pins.add(pin);
                }
            }
            while (Blocks.put(taking(store, OTHER), 1000 + pins.size(), 0)) {
                pins.add(Objects.requireNonNull(taking(store, OTHER).pin(Blocks.hash(1000 + pins.size(), 0))));
            }
            assertThat(held(store)).isLessThanOrEqualTo(4 * MIB);
            assertThat(pins).allMatch(MemoryTier.Pin::verify);
            pins.forEach(MemoryTier.Pin::close);
            store.share();
            assertThat(held(store)).isLessThanOrEqualTo(4 * MIB);
            assertThat(Blocks.put(taking(store, OTHER), 1, 0)).isTrue();
            assertThat(has(store, OTHER, 1)).isTrue();
        }
    }

    @Test
    void twoModelsLiveSideBySideOnDiskOverARestart() {
        var settings = "memory = 1 MiB, disk = 16 MiB, disk-slow = 60 s";
        try (var store = store(settings)) {
            taking(store, ONE);
            taking(store, OTHER);
            awaitDisk(store, ONE);
            awaitDisk(store, OTHER);
            for (var format : List.of(ONE, OTHER)) {
                for (int chain = 0; chain < 20; chain++) { // More than memory has room for.
                    Blocks.put(taking(store, format), chain, 0);
                }
                awaitOnDisk(store, format, 0);
            }
        }
        added.clear();
        try (var store = store(settings)) {
            assertThat(added).extracting(Pool::format).containsExactlyInAnyOrder(ONE, OTHER);
            for (var format : List.of(ONE, OTHER)) {
                awaitOnDisk(store, format, 0);
                store.bring(format, List.of(Blocks.hash(0, 0)));
                assertThat(has(store, format, 0)).isTrue();
            }
        }
    }

    @Test
    void ofTooManyPoolsTheOneGoesThatWasAskedForLeastRecently() {
        try (var store = store("memory = 16 MiB")) {
            for (int i = 0; i < Store.POOLS_MAX; i++) {
                taking(store, format("model" + i));
            }
            taking(store, format("model0"));
            taking(store, format("one more"));
            assertThat(removed).extracting(Pool::format).containsExactly(format("model1"));
            assertThat(store.tier(format("model1"))).isNull();
            assertThat(store.tier(format("model0"))).isNotNull();
        }
    }
}
