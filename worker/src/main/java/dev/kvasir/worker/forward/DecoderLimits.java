package dev.kvasir.worker.forward;

/**
 * What a decoder makes room for, once.
 *
 * @param rowsMax most token rows of a step
 * @param logitRowsMax most rows whose logits are computed at a time; a step may want more, they come in turns
 * @param servedLength longest sequence; decides rotary frequencies that depend on length
 */
public record DecoderLimits(int rowsMax, int logitRowsMax, int servedLength) {
    public DecoderLimits {
        if (rowsMax < 1 || logitRowsMax < 1 || servedLength < 1) {
            throw new IllegalArgumentException("rowsMax %d, logitRowsMax %d and servedLength %d must be at least 1"
                    .formatted(rowsMax, logitRowsMax, servedLength));
        }
    }
}
