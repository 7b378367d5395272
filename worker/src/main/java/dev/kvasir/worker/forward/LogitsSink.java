package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Matrix;

/** Takes the logits of a step, row by row in the order of {@code Batch.logitRows}. */
@FunctionalInterface
public interface LogitsSink {
    /**
     * Logits of one row. They are overwritten later in the same step.
     *
     * @param logitRowIndex index into {@code Batch.logitRows}
     * @param row where they are in {@code logits}
     */
    void accept(int logitRowIndex, Matrix logits, int row);
}
