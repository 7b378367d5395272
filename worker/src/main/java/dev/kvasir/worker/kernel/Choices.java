package dev.kvasir.worker.kernel;

/** The largest logit of each row, found where the logits are. */
public interface Choices {
    /** Waits until the choices of the last call are known. */
    void await();

    /** The lowest id that has the row's largest logit; undefined where that is not a finite number. */
    int token(int row);

    /** The row's largest logit, NaN if any of its logits is. */
    float logit(int row);
}
