package dev.kvasir.kvstore.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import org.junit.jupiter.api.Test;

class PrefixCacheTest {
    private static final BlockHash ROOT = new BlockHash(1, 2);
    private final BlockPool pool = new BlockPool(6);
    private final PrefixCache cache = new PrefixCache(pool);
    private final BlockHasher hasher = new BlockHasher(2);

    @Test
    void aSecondSequenceAttachesWhatTheFirstCommitted() {
        var first = computed(1, 2, 3, 4, 5, 6);
        var second = new BlockTable();
        var chain = chain(1, 2, 3, 4, 9, 9);

        assertThat(cache.match(chain, 3)).isEqualTo(2);
        assertThat(cache.match(chain, 1)).isEqualTo(1);
        cache.attach(chain, 2, second);
        assertThat(second.get(1)).isEqualTo(first.get(1));
        assertThat(pool.references(first.get(1))).isEqualTo(2);
        assertThat(pool.references(first.get(2))).isEqualTo(1);
    }

    @Test
    void sharedBlockSurvivesUntilItsLastSequenceFinishes() {
        var first = computed(1, 2);
        var second = new BlockTable();
        cache.attach(chain(1, 2), 1, second);
        int block = first.get(0);
        cache.release(first);
        assertThat(pool.used()).isEqualTo(1);
        cache.release(second);
        assertThat(pool.cached()).isEqualTo(1);
        assertThat(cache.block(chain(1, 2).get(0))).isEqualTo(block);
    }

    @Test
    void twoSequencesThatComputedTheSameBlockEndUpSharingIt() {
        var first = computed(1, 2, 3, 4);
        var second = new BlockTable();
        cache.grow(second, 2);
        assertThat(pool.used()).isEqualTo(4);
        cache.commit(chain(1, 2, 3, 4), 0, second);
        cache.commit(chain(1, 2, 3, 4), 1, second);

        assertThat(second.get(0)).isEqualTo(first.get(0));
        assertThat(second.get(1)).isEqualTo(first.get(1));
        assertThat(pool.used()).isEqualTo(2);
        assertThat(pool.free()).isEqualTo(4);
    }

    @Test
    void aChainLosesItsTailBeforeItsHead() {
        cache.release(computed(1, 2, 3, 4, 5, 6));
        cache.release(computed(1, 2, 7, 8));
        var table = new BlockTable();
        cache.grow(table, 3);
        assertThat(cache.match(chain(1, 2, 3, 4, 5, 6), 3)).isEqualTo(2);
        cache.grow(table, 4);
        assertThat(cache.match(chain(1, 2, 3, 4, 5, 6), 3)).isEqualTo(1);
        cache.grow(table, 5);
        assertThat(cache.match(chain(1, 2, 7, 8), 3)).isEqualTo(1);
        cache.grow(table, 6);
        assertThat(cache.match(chain(1, 2, 7, 8), 3)).isZero();
        assertThat(cache.evictions()).isEqualTo(4);
        assertThatThrownBy(() -> cache.grow(table, 7)).hasMessageContaining("no block of 6 is cached");
    }

    @Test
    void aForkCopiesASharedBlockBeforeItWritesAndTheLastHolderDoesNot() {
        var table = computed(1, 2);
        cache.grow(table, 2);
        var fork = new BlockTable();
        cache.fork(table, fork);
        int shared = table.get(1);

        assertThat(cache.makeWritable(fork, 1)).isEqualTo(shared);
        assertThat(fork.get(1)).isNotEqualTo(shared);
        assertThat(fork.get(0)).isEqualTo(table.get(0));
        assertThat(cache.makeWritable(table, 1)).isEqualTo(PrefixCache.NOT_COPIED);
        assertThat(table.get(1)).isEqualTo(shared);
    }

    @Test
    void clearForgetsWhatNobodyUses() {
        var table = computed(1, 2);
        cache.release(computed(3, 4));
        cache.clear();
        assertThat(pool.cached()).isZero();
        assertThat(cache.size()).isEqualTo(1);
        cache.release(table);
        assertThat(cache.match(chain(1, 2), 1)).isEqualTo(1);
    }

    @Test
    void theCheckerSeesALostReference() {
        var table = computed(1, 2);
        pool.retain(table.get(0));
        assertThatThrownBy(() -> BlockInvariants.check(cache, java.util.List.of(table), java.util.List.of(ROOT)))
                .hasMessage("block 0 is in 1 tables but has 2 references");
    }

    private BlockTable computed(int... tokens) {
        var chain = chain(tokens);
        var table = new BlockTable();
        cache.attach(chain, cache.match(chain, chain.size()), table);
        int cached = table.size();
        cache.grow(table, chain.size());
        for (int i = cached; i < chain.size(); i++) {
            cache.commit(chain, i, table);
        }
        return table;
    }

    private HashChain chain(int... tokens) {
        var chain = HashChain.of(hasher, ROOT);
        chain.extend(tokens, tokens.length);
        return chain;
    }
}
