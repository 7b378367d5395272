package dev.kvasir.kvstore.hash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.index.Keeper;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Conversations that all begin with one system prompt, and the kvstores that keep them. {@code -Dseed=} replays one. */
class SegmentsProperties {
    private static final int SEGMENT = 16;
    private static final int CHAINS = 2000;

    private static void forSeeds(int runs, Consumer<SplittableRandom> body) {
        var given = Long.getLong("seed");
        for (long seed = given == null ? 1 : given; seed <= (given == null ? runs : given); seed++) {
            try {
                body.accept(new SplittableRandom(seed));
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static List<HashChain> conversations(SplittableRandom random, int common) {
        var head = new ArrayList<BlockHash>();
        for (int i = 0; i < common; i++) {
            head.add(new BlockHash(random.nextLong(), random.nextLong()));
        }
        var chains = new ArrayList<HashChain>();
        for (int i = 0; i < CHAINS; i++) {
            var hashes = new ArrayList<>(head);
            for (int own = random.nextInt(1, 8 * SEGMENT); own > 0; own--) {
                hashes.add(new BlockHash(random.nextLong(), random.nextLong()));
            }
            chains.add(HashChain.of(hashes));
        }
        return chains;
    }

    private static List<String> stores(int count, SplittableRandom random) {
        var stores = new ArrayList<String>();
        int port = random.nextInt(1000, 50_000);
        for (int i = 0; i < count; i++) {
            stores.add("10.0.%d.%d:%d/kvstore".formatted(i / 250, i % 250, port));
        }
        return stores;
    }

    private static String keeper(BlockHash place, List<String> stores) {
        return Keeper.of(place, stores, Function.identity()).orElseThrow();
    }

    private static Map<BlockHash, String> keepers(List<HashChain> chains, List<String> stores) {
        var byPlace = new HashMap<BlockHash, String>();
        var keepers = new HashMap<BlockHash, String>();
        for (var chain : chains) {
            for (int i = 0; i < chain.size(); i++) {
                var place = Segments.place(chain, i, SEGMENT);
                keepers.putIfAbsent(chain.get(i), byPlace.computeIfAbsent(place, p -> keeper(p, stores)));
            }
        }
        return keepers;
    }

    @Test
    void oneCommonBeginningPutsNoMoreOnOneKvstoreThanOnOthers() {
        forSeeds(12, random -> {
            var stores = stores(random.nextInt(2, 33), random);
            var chains = conversations(random, random.nextInt(1, 6 * SEGMENT));
            var counts = new HashMap<String, Integer>();
            var keepers = keepers(chains, stores);
            keepers.values().forEach(store -> counts.merge(store, 1, Integer::sum));
            double mean = (double) keepers.size() / stores.size();
            // About 9,000 segments of up to 16 blocks fall at random: 5 standard deviations of the most uneven case.
            assertThat(counts.values()).allSatisfy(n -> assertThat(n / mean).isBetween(0.75, 1.25));
        });
    }

    @Test
    void theCommonBeginningLiesOnFewAndARestOnOneForEachSegment() {
        forSeeds(20, random -> {
            var stores = stores(16, random);
            int common = random.nextInt(1, 6) * SEGMENT;
            var chains = conversations(random, common).subList(0, 100);
            var heads = new HashSet<String>();
            for (var chain : chains) {
                heads.addAll(of(chain, 0, common, stores));
                assertThat(of(chain, common, chain.size(), stores))
                        .hasSizeLessThanOrEqualTo((chain.size() - common + SEGMENT - 1) / SEGMENT);
            }
            assertThat(heads).hasSizeLessThanOrEqualTo(common / SEGMENT);
        });
    }

    private static Set<String> of(HashChain chain, int from, int to, List<String> stores) {
        var keepers = new HashSet<String>();
        for (int i = from; i < to; i++) {
            keepers.add(keeper(Segments.place(chain, i, SEGMENT), stores));
        }
        return keepers;
    }

    @Test
    void onlyWhatOneKeepsMovesWhenItGoes() {
        forSeeds(20, random -> {
            var stores = stores(random.nextInt(3, 20), random);
            var chains = conversations(random, SEGMENT);
            var before = keepers(chains, stores);
            var gone = stores.get(random.nextInt(stores.size()));
            var after =
                    keepers(chains, stores.stream().filter(s -> !s.equals(gone)).toList());
            before.forEach((hash, store) -> {
                if (!store.equals(gone)) {
                    assertThat(after.get(hash)).isEqualTo(store);
                }
            });
            long moved = before.values().stream().filter(gone::equals).count();
            assertThat((double) moved / before.size()).isLessThan(1.3 / stores.size());
        });
    }
}
