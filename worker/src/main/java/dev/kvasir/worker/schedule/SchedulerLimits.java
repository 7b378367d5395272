package dev.kvasir.worker.schedule;

/**
 * What a step may hold.
 *
 * @param batchedTokensMax token rows of a step
 * @param sequencesMax running outputs
 * @param scoredRowsMax prompt rows of a step whose logits are wanted, so that the logits matrix is bounded
 */
public record SchedulerLimits(int batchedTokensMax, int sequencesMax, int scoredRowsMax, int blockSize) {
    public SchedulerLimits {
        require(blockSize >= 1, "block size", blockSize, 1);
        require(sequencesMax >= 1, "max-num-seqs", sequencesMax, 1);
        require(scoredRowsMax >= 1, "scored rows", scoredRowsMax, 1);
        // Every running sequence decodes in every step, and a prefill beside them moves.
        require(batchedTokensMax >= sequencesMax, "max-num-batched-tokens", batchedTokensMax, sequencesMax);
    }

    private static void require(boolean holds, String name, int value, int least) {
        if (!holds) {
            throw new IllegalArgumentException("%s is %d but must be at least %d".formatted(name, value, least));
        }
    }

    /** Rows whose logits a step may want. */
    public int logitRowsMax() {
        return sequencesMax + scoredRowsMax;
    }

    /** Blocks that {@code tokens} tokens lie in. */
    public int blocks(int tokens) {
        return Math.ceilDiv(tokens, blockSize);
    }

    /** By the names of their flags. */
    @Override
    public String toString() {
        return "max-num-seqs %d, max-num-batched-tokens %d, block-size %d"
                .formatted(sequencesMax, batchedTokensMax, blockSize);
    }
}
