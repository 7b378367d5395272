package dev.kvasir.kvstore.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.BlockEvent.Cleared;
import dev.kvasir.kvstore.index.BlockEvent.Evicted;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import dev.kvasir.kvstore.index.IndexReplica.Limits;
import dev.kvasir.kvstore.index.IndexReplica.State;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A replica behind a network that loses, repeats and swaps messages: it may know less than the holder, never more. */
class IndexReplicaProperties {
    private static final Holder HOLDER = new Holder("a:1", 1);

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 200) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void isNeverWrongAboutWhatItCallsExactAndUpToDate(long seed) {
        var world = new World(new Random(seed));
        for (int step = 0; step < 500; step++) {
            world.step();
        }
        world.calm();
        assertThat(world.replica.state(HOLDER)).isEqualTo(State.EXACT);
    }

    /** One holder of chains that it stores whole and drops last block first; its messages wait in {@code wire}. */
    private static final class World {
        final Random random;
        final IndexReplica replica = new IndexReplica(new Limits(10_000, 10_000, 10_000, 20));
        final List<HashChain> chains = new ArrayList<>();
        final int[] lengths = new int[10];
        final List<Object> wire = new ArrayList<>();
        long sequence;
        long now;

        World(Random random) {
            this.random = random;
            for (int i = 0; i < lengths.length; i++) {
                chains.add(Chains.of(random.ints(12, 100 * i, 100 * i + 100).toArray()));
            }
            replica.join(HOLDER);
        }

        void step() {
            now++;
            change();
            for (int n = random.nextInt(3); n > 0 && !wire.isEmpty(); n--) {
                // Mostly in order.
                int i = random.nextInt(10) == 0 ? random.nextInt(wire.size()) : 0;
                deliver(wire.get(i));
                if (random.nextInt(10) != 0) {
                    wire.remove(i);
                }
            }
            if (!wire.isEmpty() && random.nextInt(20) == 0) {
                wire.remove(random.nextInt(wire.size()));
            }
            ask();
        }

        /** Nothing changes any more and nothing is lost. */
        void calm() {
            for (int i = 0; i < 3; i++) {
                now += 100;
                wire.forEach(this::deliver);
                wire.clear();
                deliver(new EventBatch(HOLDER, sequence + 1, List.of()));
                ask();
            }
            for (int i = 0; i < lengths.length; i++) {
                assertThat(known(i)).isEqualTo(lengths[i]);
            }
        }

        private void change() {
            var events = new ArrayList<BlockEvent>();
            int i = random.nextInt(lengths.length);
            var chain = chains.get(i);
            if (random.nextInt(50) == 0) {
                Arrays.fill(lengths, 0);
                events.add(new Cleared());
            } else if (lengths[i] == 0 || random.nextBoolean()) {
                for (int n = random.nextInt(5); n > 0 && lengths[i] < chain.size(); n--) {
                    events.add(stored(chain, lengths[i]++));
                }
            } else {
                for (int n = random.nextInt(5); n > 0 && lengths[i] > 0; n--) {
                    events.add(new Evicted(chain.get(--lengths[i]), Tier.DEVICE));
                }
            }
            if (!events.isEmpty()) {
                wire.add(new EventBatch(HOLDER, sequence + 1, events));
                sequence += events.size();
            }
        }

        private void ask() {
            if (!replica.snapshotsDue(now).isEmpty() && random.nextInt(10) != 0) {
                var blocks = new ArrayList<Stored>();
                for (int i = 0; i < lengths.length; i++) {
                    for (int depth = 0; depth < lengths[i]; depth++) {
                        blocks.add(stored(chains.get(i), depth));
                    }
                }
                int half = blocks.size() / 2;
                wire.add(new SnapshotPart(HOLDER, sequence, 0, 2, blocks.subList(0, half)));
                wire.add(new SnapshotPart(HOLDER, sequence, 1, 2, blocks.subList(half, blocks.size())));
            }
        }

        private void deliver(Object message) {
            switch (message) {
                case EventBatch batch -> {
                    replica.apply(batch);
                    checkIfUpToDate(batch.lastSequence());
                }
                case SnapshotPart part -> replica.apply(part, now);
                default -> throw new IllegalStateException("on the wire: " + message);
            }
        }

        /** After the newest event there is, an exact replica knows exactly what the holder holds. */
        private void checkIfUpToDate(long seen) {
            if (replica.state(HOLDER) == State.EXACT && seen == sequence) {
                for (int i = 0; i < lengths.length; i++) {
                    assertThat(known(i)).isEqualTo(lengths[i]);
                }
            }
        }

        private int known(int chain) {
            return Chains.match(replica.index(), chains.get(chain))
                    .blocks(replica.index().slot(HOLDER));
        }

        private static Stored stored(HashChain chain, int i) {
            return new Stored(chain.get(i), i == 0 ? null : chain.get(i - 1), Tier.DEVICE);
        }
    }
}
