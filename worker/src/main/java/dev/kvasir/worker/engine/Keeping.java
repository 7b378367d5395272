package dev.kvasir.worker.engine;

/**
 * Which blocks are worth a copy in host memory when the device lets go of them.
 *
 * @param longBlocks a chain so long is kept even if nobody has come back to it yet
 */
public record Keeping(int longBlocks) {
    /**
     * Whether to keep a block.
     *
     * @param uses how often it was found again
     * @param depth blocks before it in its chain
     * @param hasFollower a block that follows it is kept, which is of no use without it
     * @param draining the device will be gone soon
     */
    boolean isWorth(int uses, int depth, boolean hasFollower, boolean draining) {
        return draining || hasFollower || uses > 0 || depth + 1 >= longBlocks;
    }
}
