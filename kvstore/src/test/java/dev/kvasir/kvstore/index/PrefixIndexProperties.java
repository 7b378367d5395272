package dev.kvasir.kvstore.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The index against a map of sets, under random events. */
class PrefixIndexProperties {
    private static final int HOLDERS = 6;
    private static final List<Tier> TIERS = List.of(Tier.values());

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 200) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void agreesWithTheModelWhereHoldersGiveUpTailsFirst(long seed) {
        var world = new World(new Random(seed));
        for (int step = 0; step < 400; step++) {
            world.storePrefixDropTailOrVanish();
            world.check();
        }
        assertThat(world.gaps()).isZero();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void agreesWithTheModelWhateverTheEvents(long seed) {
        var world = new World(new Random(seed));
        for (int step = 0; step < 400; step++) {
            world.anything();
            world.check();
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void forgetsEverythingEvenWhenParentsWereNamedWrongly(long seed) {
        var random = new Random(seed);
        var index = new PrefixIndex(1000, 1000);
        var slots = new int[] {index.add(new Holder("a:1", 1)), index.add(new Holder("b:1", 1))};
        for (int step = 0; step < 1000; step++) {
            var hash = new BlockHash(0, random.nextInt(20));
            var tier = TIERS.get(random.nextInt(TIERS.size()));
            if (random.nextBoolean()) {
                index.store(slots[random.nextInt(2)], hash, new BlockHash(0, random.nextInt(20)), tier);
            } else {
                index.evict(slots[random.nextInt(2)], hash, tier);
            }
        }
        index.clear(slots[0]);
        for (int i = 0; i < 20; i++) {
            for (var tier : Tier.values()) {
                index.evict(slots[1], new BlockHash(0, i), tier);
            }
        }
        assertThat(index.size()).isZero();
        assertThat(index.gaps(slots[0]) + index.gaps(slots[1])).isZero();
    }

    private static final class World {
        final Random random;
        final PrefixIndex index = new PrefixIndex(10_000, 10_000);
        final List<Map<BlockHash, EnumSet<Tier>>> held = new ArrayList<>();
        final Map<BlockHash, BlockHash> parents = new HashMap<>();
        final int[] slots = new int[HOLDERS];
        long incarnation = 1;

        World(Random random) {
            this.random = random;
            for (int i = 0; i < HOLDERS; i++) {
                held.add(new HashMap<>());
                slots[i] = index.add(holder(i, 0));
            }
        }

        private static Holder holder(int i, long incarnation) {
            return new Holder("host:" + i, incarnation);
        }

        /** Two tokens and short chains, so that prefixes meet often. */
        HashChain chain() {
            var chain = Chains.of(random.ints(random.nextInt(1, 20), 0, 2).toArray());
            for (int i = 1; i < chain.size(); i++) {
                parents.put(chain.get(i), chain.get(i - 1));
            }
            return chain;
        }

        void storePrefixDropTailOrVanish() {
            int holder = random.nextInt(HOLDERS);
            switch (random.nextInt(10)) {
                case 0 -> vanish(holder);
                case 1 -> clear(holder);
                case 2, 3, 4 -> dropTails(holder);
                default -> {
                    var chain = chain();
                    var tier = TIERS.get(random.nextInt(TIERS.size()));
                    for (int i = 0; i < chain.size(); i++) {
                        store(holder, chain.get(i), i == 0 ? null : chain.get(i - 1), tier);
                    }
                }
            }
        }

        void anything() {
            int holder = random.nextInt(HOLDERS);
            int dice = random.nextInt(100);
            if (dice < 2) {
                vanish(holder);
            } else if (dice < 4) {
                clear(holder);
            } else {
                var chain = chain();
                int i = random.nextInt(chain.size());
                var tier = TIERS.get(random.nextInt(TIERS.size()));
                if (dice < 50) {
                    evict(holder, chain.get(i), tier);
                } else {
                    store(holder, chain.get(i), i == 0 ? null : chain.get(i - 1), tier);
                }
            }
        }

        private void dropTails(int holder) {
            for (int n = random.nextInt(8); n > 0; n--) {
                var blocks = held.get(holder);
                var inner = blocks.keySet().stream().map(parents::get).collect(Collectors.toSet());
                var tails = blocks.keySet().stream()
                        .filter(hash -> !inner.contains(hash))
                        .sorted(Comparator.comparingLong(BlockHash::low))
                        .toList();
                if (!tails.isEmpty()) {
                    var tail = tails.get(random.nextInt(tails.size()));
                    EnumSet.copyOf(blocks.get(tail)).forEach(tier -> evict(holder, tail, tier));
                }
            }
        }

        private void store(int holder, BlockHash hash, @Nullable BlockHash parent, Tier tier) {
            assertThat(index.store(slots[holder], hash, parent, tier)).isTrue();
            held.get(holder)
                    .computeIfAbsent(hash, h -> EnumSet.noneOf(Tier.class))
                    .add(tier);
        }

        private void evict(int holder, BlockHash hash, Tier tier) {
            index.evict(slots[holder], hash, tier);
            held.get(holder).computeIfPresent(hash, (h, tiers) -> {
                tiers.remove(tier);
                return tiers.isEmpty() ? null : tiers;
            });
        }

        private void clear(int holder) {
            index.clear(slots[holder]);
            held.get(holder).clear();
        }

        private void vanish(int holder) {
            for (long i = 0; i < incarnation; i++) {
                index.remove(holder(holder, i));
            }
            slots[holder] = index.add(holder(holder, incarnation++));
            held.get(holder).clear();
        }

        int gaps() {
            int sum = 0;
            for (int slot : slots) {
                sum += index.gaps(slot);
            }
            return sum;
        }

        void check() {
            var chain = chain();
            var match = Chains.match(index, chain);
            boolean regular = gaps() == 0;
            Set<BlockHash> all = new HashSet<>();
            for (int i = 0; i < HOLDERS; i++) {
                var blocks = held.get(i);
                all.addAll(blocks.keySet());
                assertThat(index.blocks(slots[i])).isEqualTo(blocks.size());
                assertThat(match.blocks(slots[i])).isEqualTo(prefix(chain, blocks, EnumSet.allOf(Tier.class)));
                if (!regular || deviceIsClosed()) {
                    assertThat(match.deviceBlocks(slots[i]))
                            .isLessThanOrEqualTo(match.blocks(slots[i]))
                            .isEqualTo(prefix(chain, blocks, EnumSet.of(Tier.DEVICE)));
                }
            }
            assertThat(index.size()).isGreaterThanOrEqualTo(all.size());
            if (regular) {
                assertThat(index.size()).isEqualTo(all.size());
            }
        }

        /** Bisection finds DEVICE prefixes only where all holders keep those closed, too. */
        private boolean deviceIsClosed() {
            return held.stream()
                    .allMatch(blocks -> blocks.entrySet().stream()
                            .filter(e -> e.getValue().contains(Tier.DEVICE) && parents.containsKey(e.getKey()))
                            .allMatch(e -> blocks.getOrDefault(parents.get(e.getKey()), EnumSet.noneOf(Tier.class))
                                    .contains(Tier.DEVICE)));
        }

        private static int prefix(HashChain chain, Map<BlockHash, EnumSet<Tier>> blocks, EnumSet<Tier> tiers) {
            int length = 0;
            while (length < chain.size()
                    && blocks.getOrDefault(chain.get(length), EnumSet.noneOf(Tier.class)).stream()
                            .anyMatch(tiers::contains)) {
                length++;
            }
            return length;
        }
    }
}
