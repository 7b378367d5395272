package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.hash.BlockHash;
import java.util.List;

/**
 * Blocks that a sequence lacks.
 *
 * @param chain names of its first blocks, all that could be used
 * @param have leading ones that are here already
 * @param tokensPerSecond as prompts are computed here; 0 where that is not known yet
 * @param tokensAhead to be computed here before the sequence's turn
 */
public record PullNeed(List<BlockHash> chain, int have, int blockSize, double tokensPerSecond, long tokensAhead) {
    public PullNeed {
        chain = List.copyOf(chain);
    }
}
