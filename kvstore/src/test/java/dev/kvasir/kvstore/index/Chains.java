package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;

/** Chains of one-token blocks. */
final class Chains {
    private Chains() {}

    static HashChain of(int... tokens) {
        var chain = HashChain.of(new BlockHasher(1), new BlockHash(1, 2));
        chain.extend(tokens, tokens.length);
        return chain;
    }

    /** Stores the blocks [from, to) of the chain, first one first. */
    static void store(PrefixIndex index, int slot, HashChain chain, int from, int to, Tier tier) {
        for (int i = from; i < to; i++) {
            index.store(slot, chain.get(i), i == 0 ? null : chain.get(i - 1), tier);
        }
    }

    static Match match(PrefixIndex index, HashChain chain) {
        var match = new Match();
        index.match(chain, chain.size(), match);
        return match;
    }
}
