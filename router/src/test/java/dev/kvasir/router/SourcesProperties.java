package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Keeper;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.shard.ShardReplica;
import dev.kvasir.protocol.HashList;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderState;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexGone;
import dev.kvasir.protocol.PrefixCacheProtocol.Position;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** A prompt whose blocks kvstores keep by the rule that workers offer them by, and some of which a worker has. */
class SourcesProperties {
    private static final int SEGMENT = 8;

    private final ShardReplica shard = new ShardReplica(new IndexReplica.Limits(1000, 4000, 1000, 1));
    private final Match match = new Match();

    private void tell(Holder holder, HashChain prompt, List<Integer> blocks) {
        var changes = new ArrayList<Change>();
        for (int i : blocks) {
            var hash = prompt.get(i);
            var parent = prompt.get(Math.max(0, i - 1));
            var first = prompt.get(0);
            changes.add(new Change(
                    true,
                    Tier.HOST,
                    first.high(),
                    first.low(),
                    parent.high(),
                    parent.low(),
                    new HashList.Builder().add(hash.high(), hash.low()).build()));
        }
        shard.apply(new IndexChanges("pool-0", 1, new Position(holder, 1, HolderState.COMPLETE), changes), 0);
    }

    @Test
    void everyBlockThatSomebodyHasIsFoundAtOneWhoHasIt() {
        Seeds.of(300).forEach(seed -> new SourcesProperties().check(seed));
    }

    private void check(long seed) {
        var random = new SplittableRandom(seed);
        int size = random.nextInt(1, 80);
        var hashes = new ArrayList<BlockHash>();
        for (int i = 0; i < size; i++) {
            hashes.add(new BlockHash(random.nextLong(), random.nextLong()));
        }
        var prompt = HashChain.of(hashes);
        var held = new ArrayList<Set<Integer>>();
        var stores = new ArrayList<Holder>();
        for (int s = 0; s < random.nextInt(1, 5); s++) {
            stores.add(Holder.ofStore("store-" + s, s, 1, "store-" + s + ":9"));
            held.add(new HashSet<>());
        }
        for (int i = 0; i < size; i++) {
            var place = Segments.place(prompt, i, SEGMENT);
            held.get(stores.indexOf(Keeper.of(place, stores, Holder::address).orElseThrow()))
                    .add(i);
        }
        for (int s = 0; s < stores.size(); s++) {
            tell(stores.get(s), prompt, List.copyOf(held.get(s)));
        }
        var worker = new Holder("worker", 9, 1, "worker:9");
        int leading = random.nextInt(size + 1);
        tell(worker, prompt, range(leading));
        if (random.nextInt(3) == 0) {
            shard.apply(new IndexGone("pool-0", 1, stores.getFirst()), 0);
            held.getFirst().clear();
        }

        int have = random.nextInt(size + 1);
        shard.replica().index().match(prompt, size, match);
        var sources = Sources.of(shard, prompt, match, have, SEGMENT);

        int end = have;
        for (var source : sources) {
            assertThat(source.from()).as("seed %d", seed).isEqualTo(end);
            var of = ofSource(source, stores);
            for (int i = source.from(); i < source.blocks(); i++) {
                assertThat(of < 0 ? i < leading : held.get(of).contains(i))
                        .as("seed %d: block %d at %s", seed, i, source)
                        .isTrue();
            }
            end = source.blocks();
        }
        int last = end;
        boolean more = last < size && (last < leading || held.stream().anyMatch(of -> of.contains(last)));
        assertThat(more).as("seed %d: block %d is somewhere", seed, last).isFalse();
    }

    @Test
    void aKvstoreWhosePlaceALaterLifeHasTakenIsAskedForNothing() {
        var prompt = HashChain.of(List.of(new BlockHash(1, 1), new BlockHash(2, 2), new BlockHash(3, 3)));
        tell(Holder.ofStore("store", 1, 1, "store:9"), prompt, range(3));
        // That the earlier one has gone was not heard.
        var later = Holder.ofStore("store", 2, 2, "store:9");
        tell(later, prompt, range(1));
        assertThat(shard.holders()).hasSize(2);
        shard.replica().index().match(prompt, prompt.size(), match);
        assertThat(Sources.of(shard, prompt, match, 0, SEGMENT)).containsExactly(new KvSource("store:9", 2, 0, 1));
    }

    @Test
    void aHundredStretchesOfOnePromptAreAllFound() {
        var hashes = new ArrayList<BlockHash>();
        for (int i = 0; i < 100 * SEGMENT; i++) {
            hashes.add(new BlockHash(1, i));
        }
        var prompt = HashChain.of(hashes);
        for (int s = 0; s < 2; s++) {
            int own = s;
            tell(
                    Holder.ofStore("store-" + s, s, 1, "store-" + s + ":9"),
                    prompt,
                    range(prompt.size()).stream()
                            .filter(i -> i / SEGMENT % 2 == own)
                            .toList());
        }
        shard.replica().index().match(prompt, prompt.size(), match);
        var sources = Sources.of(shard, prompt, match, 0, SEGMENT);
        assertThat(sources).hasSize(100);
        assertThat(sources.getLast().blocks()).isEqualTo(prompt.size());
    }

    private static int ofSource(KvSource source, List<Holder> stores) {
        for (int s = 0; s < stores.size(); s++) {
            if (stores.get(s).transferAddress().equals(source.transferAddress())) {
                return s;
            }
        }
        return -1;
    }

    private static List<Integer> range(int end) {
        var range = new ArrayList<Integer>();
        for (int i = 0; i < end; i++) {
            range.add(i);
        }
        return range;
    }
}
