package dev.kvasir.worker.engine;

/**
 * Which blocks are worth a copy in host memory when the device lets go of them.
 *
 * @param longBlocks a chain so long is kept even if nobody has come back to it yet, as far as {@link CopyShare} allows
 */
public record Keeping(int longBlocks) {
    /** Whether to keep a block. */
    enum Worth {
        /** No. */
        NO,
        /** It is known to be wanted. */
        WANTED,
        /** Without it a block that is kept is of no use. */
        NEEDED,
        /** It may be wanted one day. */
        PERHAPS
    }

    /**
     * What a block is worth.
     *
     * @param uses how often it was found again
     * @param depth blocks before it in its chain
     * @param hasFollower a block that follows it is kept
     * @param draining the device will be gone soon
     */
    Worth worth(int uses, int depth, boolean hasFollower, boolean draining) {
        if (draining || uses > 0) {
            return Worth.WANTED;
        }
        if (hasFollower) {
            return Worth.NEEDED;
        }
        return depth + 1 >= longBlocks ? Worth.PERHAPS : Worth.NO;
    }
}
