package dev.kvasir.router;

import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.hash.NameCache;
import dev.kvasir.router.ClusterStatus.WorkerStatus;
import org.jspecify.annotations.Nullable;

/**
 * Names the blocks of a prompt as the model's workers will, so that placement can look up who holds them. Done on the thread
 * of the request, once. Workers never see these names: each computes its own.
 */
final class PromptHashes {
    private PromptHashes() {}

    /**
     * Empty where no worker serves the model now.
     *
     * @param known names that need not be computed
     */
    static HashChain of(ValidRequest request, ClusterStatus status, @Nullable NameCache known) {
        return status.describing(request.model())
                .map(WorkerStatus::description)
                .map(worker -> {
                    var root = new HashRoot(
                            worker.kvOrigin(),
                            "",
                            worker.kvCacheDtype(),
                            worker.blockSize(),
                            request.generation().tenant().salt(),
                            request.generation().cacheSalt());
                    var hasher = new BlockHasher(worker.blockSize(), known);
                    var chain = HashChain.of(hasher, hasher.root(root));
                    var prompt = request.generation().prompt();
                    chain.extend(prompt, prompt.length);
                    return chain;
                })
                .orElseGet(HashChain::unnamed);
    }
}
