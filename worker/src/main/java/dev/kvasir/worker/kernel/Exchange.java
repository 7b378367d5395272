package dev.kvasir.worker.kernel;

import java.util.List;

/**
 * What one rank of a split model tells the others while it computes. Every rank issues the same exchanges in the same order;
 * each takes effect in the order of the rank's own operations.
 */
public interface Exchange {
    /**
     * out[r] = (accumulate ? out[r] : 0) + the sum of all ranks' part[r], the same on all ranks.
     *
     * <p>Of two matrices that take turns as {@code part}, one may be overwritten once the exchange of the other was issued:
     * nobody reads it then.
     */
    void sum(Matrix out, Matrix part, int rows, boolean accumulate);

    /**
     * in[r] += the sum of all ranks' part[r], then out = in / rms(in) * (weightOffset + weight), as {@link #sum} and {@link
     * Kernels#rmsNorm} would do it one after the other. All ranks take the same way.
     *
     * @return false where nothing was done, since there is no faster way
     */
    default boolean sumAndNormalise(
            Matrix out, Matrix in, Matrix part, int rows, Weight weight, float epsilon, float weightOffset) {
        return false;
    }

    /** Room for what is to be added up. All ranks allocate alike, before the first exchange. */
    Matrix allocatePart(int rowsMax, int columns);

    /** Room to bring together, as floats, columns of which each rank computes so many: all but the last as many. */
    Gathering gathering(int rowsMax, List<Integer> columnsOfRanks);

    /** A matrix of which each rank computes some columns. */
    interface Gathering {
        /** This rank's columns. */
        Matrix part();

        /** The columns of all ranks side by side, in their order. */
        Matrix whole();

        /** Brings rows to all ranks. */
        void gather(int rows);

        /** Whether {@link #chooseLargest} is there. */
        default boolean chooses() {
            return false;
        }

        /** The largest of each row's columns of all ranks, as {@link Kernels#chooseLargest}, told without the others. */
        default void chooseLargest(Choices into, int rows) {
            throw new UnsupportedOperationException("these ranks bring together whole rows");
        }
    }
}
