package dev.kvasir.kvstore.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefixIndexTest {
    private final PrefixIndex index = new PrefixIndex(1000, 1000);
    private final int first = index.add(new Holder("a:1", 1));
    private final int second = index.add(new Holder("b:1", 2));

    @Test
    void namesTheLongestPrefixOfEachHolder() {
        var chain = Chains.of(1, 2, 3, 4, 5);
        Chains.store(index, first, chain, 0, 5, Tier.DEVICE);
        Chains.store(index, second, chain, 0, 2, Tier.HOST);

        var match = Chains.match(index, Chains.of(1, 2, 3, 4, 9, 9));

        assertThat(match.blocks(first)).isEqualTo(4);
        assertThat(match.deviceBlocks(first)).isEqualTo(4);
        assertThat(match.blocks(second)).isEqualTo(2);
        assertThat(match.deviceBlocks(second)).isZero();
    }

    @Test
    void aPrefixMayGoOnInALowerTier() {
        var chain = Chains.of(1, 2, 3, 4);
        Chains.store(index, first, chain, 0, 4, Tier.DEVICE);
        Chains.store(index, first, chain, 2, 4, Tier.HOST);
        index.evict(first, chain.get(3), Tier.DEVICE);
        index.evict(first, chain.get(2), Tier.DEVICE);

        var match = Chains.match(index, chain);

        assertThat(match.blocks(first)).isEqualTo(4);
        assertThat(match.deviceBlocks(first)).isEqualTo(2);
    }

    @Test
    void blocksBehindAHoleDoNotCount() {
        var chain = Chains.of(1, 2, 3, 4);
        Chains.store(index, first, chain, 0, 4, Tier.DEVICE);
        Chains.store(index, second, chain, 0, 3, Tier.DEVICE);
        index.evict(first, chain.get(1), Tier.DEVICE);

        assertThat(index.gaps(first)).isEqualTo(1);
        assertThat(Chains.match(index, chain).blocks(first)).isEqualTo(1);
        assertThat(Chains.match(index, chain).blocks(second)).isEqualTo(3);

        index.store(first, chain.get(1), chain.get(0), Tier.DEVICE);
        assertThat(index.gaps(first)).isZero();
        assertThat(Chains.match(index, chain).blocks(first)).isEqualTo(4);
    }

    @Test
    void anIncarnationsBlocksVanishInOneCall() {
        var chain = Chains.of(1, 2, 3);
        Chains.store(index, first, chain, 0, 3, Tier.DEVICE);
        Chains.store(index, second, chain, 0, 2, Tier.DEVICE);

        index.remove(new Holder("a:1", 1));

        assertThat(index.size()).isEqualTo(2);
        int reborn = index.add(new Holder("a:1", 3));
        assertThat(Chains.match(index, chain).blocks(reborn)).isZero();
        assertThat(Chains.match(index, chain).blocks(second)).isEqualTo(2);
    }

    @Test
    void aFullIndexRefusesAndStaysAsItWas() {
        var small = new PrefixIndex(4, 100);
        int slot = small.add(new Holder("a:1", 1));
        var chain = Chains.of(1, 2, 3, 4, 5);
        Chains.store(small, slot, chain, 0, 3, Tier.DEVICE);

        assertThat(small.store(slot, chain.get(3), chain.get(2), Tier.DEVICE)).isFalse();
        assertThat(small.store(slot, chain.get(0), null, Tier.HOST)).isTrue();
        assertThat(small.size()).isEqualTo(3);
        assertThat(Chains.match(small, chain).blocks(slot)).isEqualTo(3);
    }

    @Test
    void aBlockOfOneHolderTakesAtMostSixtyBytes() {
        int blocks = 1 << 18;
        for (int count : new int[] {blocks, blocks + 1, blocks * 3 / 2}) {
            var full = new PrefixIndex(count, count);
            int slot = full.add(new Holder("a:1", 1));
            IntStream.range(0, count - 1)
                    .forEach(i -> full.store(slot, new BlockHash(i, i * 0x9e3779b97f4a7c15L), null, Tier.DEVICE));
            assertThat((double) full.bytes() / full.size()).isBetween(52.0, 60.1);
        }
    }
}
