package dev.kvasir.kvstore.hash;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Conversations that grow, share beginnings and change in the middle. {@code -Dseed=} replays one. */
class NameCacheProperties {
    private static final int BLOCK = 4;
    private static final int SEGMENT = NameCache.SEGMENT * BLOCK;
    private static final int RUNS = 60;

    private static HashChain chain(int[] tokens, String tenant, @Nullable NameCache known) {
        var hasher = new BlockHasher(BLOCK, known);
        var chain = HashChain.of(hasher, hasher.root(new HashRoot("print", "", "f32", BLOCK, tenant, "")));
        chain.extend(tokens, tokens.length);
        return chain;
    }

    private static void assertSame(HashChain found, HashChain hashed) {
        assertThat(found.size()).isEqualTo(hashed.size());
        for (int i = 0; i < hashed.size(); i++) {
            assertThat(found.get(i)).as("block %d", i).isEqualTo(hashed.get(i));
        }
    }

    @Test
    void namesAreThoseOfHashing() {
        var given = Long.getLong("seed");
        for (long seed = given == null ? 1 : given; seed <= (given == null ? RUNS : given); seed++) {
            try {
                grow(new SplittableRandom(seed));
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    private static void grow(SplittableRandom random) {
        long bytesMax = random.nextInt(1, 60) * 5_000L;
        var known = new NameCache(bytesMax);
        var conversations = new ArrayList<int[]>();
        conversations.add(new int[0]);
        for (int i = 0; i < 40; i++) {
            var from = conversations.get(random.nextInt(conversations.size()));
            var tokens = Arrays.copyOf(from, from.length + random.nextInt(3 * SEGMENT));
            for (int k = from.length; k < tokens.length; k++) {
                tokens[k] = random.nextInt(3);
            }
            if (tokens.length > 0 && random.nextInt(3) == 0) {
                tokens[random.nextInt(tokens.length)] ^= 1;
            }
            conversations.add(tokens);
            var tenant = random.nextBoolean() ? "" : "tenant";
            assertSame(chain(tokens, tenant, known), chain(tokens, tenant, null));
            assertThat(known.bytes()).isBetween(0L, bytesMax);
        }
    }

    @Test
    void whatCameTwiceIsFoundAndWhatCameOnceIsNotKept() {
        var known = new NameCache(1 << 20);
        var tokens = new SplittableRandom(1).ints(3 * SEGMENT + 5, 0, 1000).toArray();
        var first = chain(tokens, "", known);
        assertThat(known.bytes()).isZero();
        var second = chain(tokens, "", known);
        assertThat(known.bytes()).isPositive();
        var third = chain(tokens, "", known);
        assertThat(second.get(0)).isNotSameAs(first.get(0));
        assertThat(third.get(0)).isSameAs(second.get(0));
        assertThat(third.get(3 * NameCache.SEGMENT - 1)).isSameAs(second.get(3 * NameCache.SEGMENT - 1));
        assertThat(chain(tokens, "other", known).get(0)).isNotEqualTo(first.get(0));
    }

    @Test
    void aChainThatGrowsBlockByBlockIsHashedAsEver() {
        var known = new NameCache(1 << 20);
        var tokens = new SplittableRandom(2).ints(2 * SEGMENT, 0, 1000).toArray();
        var hasher = new BlockHasher(BLOCK, known);
        var grown = HashChain.of(hasher, hasher.root(new HashRoot("print", "", "f32", BLOCK, "", "")));
        for (int i = 0; i <= tokens.length; i++) {
            grown.extend(tokens, i);
        }
        assertSame(grown, chain(tokens, "", null));
        assertThat(known.bytes()).isZero();
    }
}
