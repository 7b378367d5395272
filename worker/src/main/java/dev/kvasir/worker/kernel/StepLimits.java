package dev.kvasir.worker.kernel;

/**
 * The largest step that kernels make room for, once.
 *
 * @param rowsMax token rows
 * @param blocksPerSequenceMax blocks of the longest sequence
 */
public record StepLimits(int rowsMax, int sequencesMax, int blocksPerSequenceMax) {
    public StepLimits {
        if (rowsMax < 1 || sequencesMax < 1 || blocksPerSequenceMax < 1) {
            throw new IllegalArgumentException(
                    "rowsMax %d, sequencesMax %d and blocksPerSequenceMax %d must be at least 1"
                            .formatted(rowsMax, sequencesMax, blocksPerSequenceMax));
        }
    }
}
