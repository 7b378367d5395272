package dev.kvasir.router.placement;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.util.HashMap;
import java.util.Map;

/**
 * Prefixes that workers are computing for requests this router has sent them: the index learns of them only when they are
 * done, and a burst of prompts that begin alike should not be scattered until then. Credited from dispatch to the end of
 * the request, while the worker cannot evict them.
 *
 * <p>Only every {@value #STRIDE}th block is noted, and the last, so a long prompt costs little; and no more than
 * {@code entriesMax} of them, so a look-up may name less than there is.
 */
final class ExpectedPrefixes {
    private static final int STRIDE = 16;

    private final int entriesMax;
    private final Map<BlockHash, Map<WorkerId, Integer>> requests = new HashMap<>();

    ExpectedPrefixes(int entriesMax) {
        this.entriesMax = entriesMax;
    }

    void sent(WorkerId worker, HashChain prompt) {
        for (int depth = first(prompt); depth > 0; depth = next(depth, prompt)) {
            var hash = prompt.get(depth - 1);
            if (requests.size() >= entriesMax && !requests.containsKey(hash)) {
                return;
            }
            requests.computeIfAbsent(hash, _ -> new HashMap<>(2)).merge(worker, 1, Integer::sum);
        }
    }

    void ended(WorkerId worker, HashChain prompt) {
        for (int depth = first(prompt); depth > 0; depth = next(depth, prompt)) {
            requests.computeIfPresent(prompt.get(depth - 1), (_, byWorker) -> {
                byWorker.computeIfPresent(worker, (_, count) -> count == 1 ? null : count - 1);
                return byWorker.isEmpty() ? null : byWorker;
            });
        }
    }

    /** Depths in blocks, for the workers where there are any. */
    Map<WorkerId, Integer> match(HashChain prompt) {
        var depths = new HashMap<WorkerId, Integer>();
        if (requests.isEmpty()) {
            return depths;
        }
        for (int depth = first(prompt); depth > 0; depth = next(depth, prompt)) {
            var byWorker = requests.get(prompt.get(depth - 1));
            if (byWorker != null) {
                for (var worker : byWorker.keySet()) {
                    depths.put(worker, depth);
                }
            }
        }
        return depths;
    }

    int size() {
        return requests.size();
    }

    private static int first(HashChain prompt) {
        return Math.min(STRIDE, prompt.size());
    }

    /** The depth after, 0 at the end. */
    private static int next(int depth, HashChain prompt) {
        return depth == prompt.size() ? 0 : Math.min(depth + STRIDE, prompt.size());
    }
}
