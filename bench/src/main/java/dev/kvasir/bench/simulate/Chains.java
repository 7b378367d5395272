package dev.kvasir.bench.simulate;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where in its chain each block of a trace lies. */
final class Chains {
    private final Map<BlockHash, Place> places = new HashMap<>();

    /**
     * A block's place.
     *
     * @param chain one that it is in; all of them begin alike up to it
     */
    record Place(HashChain chain, int depth) {
        @Nullable
        BlockHash parent() {
            return depth == 0 ? null : chain.get(depth - 1);
        }
    }

    Chains(Trace trace) {
        for (var request : trace.requests()) {
            for (int i = 0; i < request.prompt().size(); i++) {
                places.putIfAbsent(request.prompt().get(i), new Place(request.prompt(), i));
            }
        }
    }

    Place of(BlockHash hash) {
        var place = places.get(hash);
        if (place == null) {
            throw new IllegalArgumentException("the trace has no block " + hash);
        }
        return place;
    }
}
