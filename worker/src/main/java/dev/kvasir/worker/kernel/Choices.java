package dev.kvasir.worker.kernel;

/** The largest logit of each row, found where the logits are. A {@link Batch} may refer to the choices of the step before. */
public interface Choices {
    /**
     * Starts to bring the choices of the first {@code rows} rows to the host, after what was issued before. What the call
     * before brings stays valid until the next.
     */
    Reading read(int rows);

    /** Choices on their way to the host. */
    interface Reading {
        /** Waits until they are there. */
        void await();

        /** The lowest id that has the row's largest logit; undefined where that is not a finite number. */
        int token(int row);

        /** The row's largest logit, NaN if any of its logits is. */
        float logit(int row);
    }
}
