package dev.kvasir.kvstore.tier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryTierTest {
    private static final int SLOT = 1024;
    private final MemoryTier tier = new MemoryTier(Blocks.FORMAT, 8 * SLOT);

    @AfterEach
    void close() {
        tier.close();
    }

    @Test
    void whatWasPutIsFoundAndIsTheSame() {
        assertThat(Blocks.put(tier, 1, 0)).isTrue();
        try (var pin = Objects.requireNonNull(tier.pin(Blocks.hash(1, 0)))) {
            assertThat(pin.verify()).isTrue();
            assertThat(Blocks.holds(pin.bytes(), Blocks.hash(1, 0))).isTrue();
        }
        assertThat(tier.pin(Blocks.hash(1, 1))).isNull();
        assertThat(tier.inUse()).isZero();
    }

    @Test
    void aChainGoesTailFirstAndTheDeepOneStaysLonger() {
        for (int depth = 0; depth < 4; depth++) {
            Blocks.put(tier, 1, depth);
        }
        for (int chain = 2; chain < 6; chain++) {
            Blocks.put(tier, chain, 0);
        }
        var gone = new ArrayList<StoredBlock>();
        tier.listen(new MemoryTier.Listener() {
            @Override
            public void stored(StoredBlock block) {}

            @Override
            public void evicted(StoredBlock block, MemorySegment bytes) {
                gone.add(block);
            }

            @Override
            public void damaged(StoredBlock block) {}
        });
        for (int chain = 10; chain < 18; chain++) {
            Blocks.put(tier, chain, 0);
        }
        var firstChain =
                gone.stream().filter(b -> b.first().equals(Blocks.hash(1, 0))).toList();
        assertThat(firstChain).extracting(StoredBlock::depth).containsExactly(3, 2, 1, 0);
    }

    @Test
    void aPinnedBlockAndAReservedSlotAreNotGivenAway() {
        for (int chain = 0; chain < 8; chain++) {
            Blocks.put(tier, chain, 0);
        }
        var pins = new ArrayList<MemoryTier.Pin>();
        for (int chain = 0; chain < 8; chain++) {
            pins.add(Objects.requireNonNull(tier.pin(Blocks.hash(chain, 0))));
        }
        assertThat(tier.reserve()).isNull();
        pins.removeFirst().close();
        var reservation = Objects.requireNonNull(tier.reserve());
        assertThat(tier.contains(Blocks.hash(0, 0))).isFalse();
        assertThat(tier.reserve()).isNull();
        reservation.abandon();
        assertThatThrownBy(reservation::abandon).isInstanceOf(IllegalStateException.class);
        pins.forEach(MemoryTier.Pin::close);
        assertThat(tier.inUse()).isZero();
    }

    @Test
    void aDamagedBlockIsNotFoundAgainAndItsSlotComesBack() {
        var reservation = Objects.requireNonNull(tier.reserve());
        Blocks.fill(reservation.bytes(), Blocks.hash(3, 0));
        var right = Blocks.stored(Blocks.FORMAT, 3, 0);
        reservation.publish(new StoredBlock(right.hash(), right.first(), null, 0, right.checksum() ^ 1));
        try (var pin = Objects.requireNonNull(tier.pin(Blocks.hash(3, 0)))) {
            assertThat(pin.verify()).isFalse();
            assertThat(tier.contains(Blocks.hash(3, 0))).isFalse();
        }
        assertThat(tier.damaged()).isEqualTo(1);
        for (int chain = 10; chain < 18; chain++) {
            assertThat(Blocks.put(tier, chain, 0)).isTrue();
        }
        assertThat(tier.size()).isEqualTo(8);
        assertThat(tier.evictions()).isZero();
    }

    @Test
    void memoryOfAClosedTierStaysUntilItsReadersAndWritersAreDone() {
        Blocks.put(tier, 1, 0);
        var pin = Objects.requireNonNull(tier.pin(Blocks.hash(1, 0)));
        var reservation = Objects.requireNonNull(tier.reserve());
        tier.close();
        assertThat(pin.verify()).isTrue();
        Blocks.fill(reservation.bytes(), Blocks.hash(2, 0));
        pin.close();
        reservation.publish(Blocks.stored(Blocks.FORMAT, 2, 0));
        assertThat(tier.pin(Blocks.hash(1, 0))).isNull();
        assertThat(tier.reserve()).isNull();
    }

    @Test
    void randomUseNeverLosesASlotNorTellsAnotherStoryThanItHolds() {
        for (long seed = 0; seed < 100; seed++) {
            var random = new Random(seed);
            var own = new MemoryTier(Blocks.FORMAT, random.nextInt(1, 12) * (long) SLOT);
            Set<BlockHash> told = new HashSet<>();
            own.listen(new MemoryTier.Listener() {
                @Override
                public void stored(StoredBlock block) {
                    told.add(block.hash());
                }

                @Override
                public void evicted(StoredBlock block, MemorySegment bytes) {
                    assertThat(Blocks.holds(bytes, block.hash())).isTrue();
                    told.remove(block.hash());
                }

                @Override
                public void damaged(StoredBlock block) {
                    told.remove(block.hash());
                }
            });
            List<MemoryTier.Pin> pins = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                int chain = random.nextInt(4);
                int depth = random.nextInt(6);
                switch (random.nextInt(4)) {
                    case 0, 1 -> Blocks.put(own, chain, depth);
                    case 2 -> {
                        var pin = own.pin(Blocks.hash(chain, depth));
                        if (pin != null) {
                            assertThat(Blocks.holds(pin.bytes(), Blocks.hash(chain, depth)))
                                    .as("seed %d", seed)
                                    .isTrue();
                            pins.add(pin);
                        }
                    }
                    default -> {
                        if (!pins.isEmpty()) {
                            pins.remove(random.nextInt(pins.size())).close();
                        }
                    }
                }
                assertThat(own.blocks()).extracting(StoredBlock::hash).hasSameElementsAs(told);
            }
            pins.forEach(MemoryTier.Pin::close);
            assertThat(own.inUse()).as("seed %d", seed).isZero();
            for (int i = 0; i < own.capacity(); i++) {
                assertThat(Blocks.put(own, 100 + i, 0)).as("seed %d", seed).isTrue();
            }
            assertThat(own.size()).as("seed %d", seed).isEqualTo(own.capacity());
            own.close();
        }
    }
}
