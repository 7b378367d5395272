package dev.kvasir.kvstore.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What can be had of a chain from members that have parts of it, against looking at every block. */
class ReachProperties {
    @Test
    void asFarAsSomebodyHasTheNextBlock() {
        var given = Long.getLong("seed");
        for (long seed = given == null ? 1 : given; seed <= (given == null ? 2000 : given); seed++) {
            check(seed, new SplittableRandom(seed));
        }
    }

    private static void check(long seed, SplittableRandom random) {
        int segment = random.nextInt(1, 9);
        int size = random.nextInt(1, 60);
        var hashes = new ArrayList<BlockHash>();
        for (int i = 0; i < size; i++) {
            hashes.add(new BlockHash(seed, i));
        }
        var chain = HashChain.of(hashes);
        var index = new PrefixIndex(100, 400);
        var held = new boolean[size];
        for (int from = 0; from < size; from += segment) {
            int slot = index.add(new Holder("kvstore-" + random.nextInt(3), 1));
            // Members give up a segment's tail first.
            int kept = random.nextInt(3) > 0 ? segment : random.nextInt(segment + 1);
            for (int i = from; i < Math.min(size, from + kept); i++) {
                index.store(slot, chain.get(i), null, Tier.HOST);
                held[i] = true;
            }
        }
        int leading = random.nextInt(size + 1);
        var reach = new Reach(chain, leading, index, segment);
        for (int look = 0; look < 10; look++) {
            int have = random.nextInt(size + 1);
            int end = have;
            while (end < size && (held[end] || end < leading)) {
                end++;
            }
            assertThat(reach.from(have))
                    .as("seed %d, after %d blocks", seed, have)
                    .isEqualTo(end);
        }
    }
}
