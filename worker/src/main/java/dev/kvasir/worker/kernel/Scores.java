package dev.kvasir.worker.kernel;

import dev.kvasir.protocol.SamplingParameters;

/**
 * Rows of logits whose tokens are to get log-probabilities, as a flat list that a device reads. Allocated once and refilled for
 * each step. A row is in it once at most, so that there is room for all.
 *
 * <pre>
 * requests   [count][4]   row, token or {@link #CHOSEN}, number of likeliest tokens, and a word that is not used
 * </pre>
 */
public final class Scores {
    public static final int WORDS = 4;
    /** Most of the likeliest tokens. */
    public static final int TOP_MAX = SamplingParameters.LOGPROBS_MAX;
    /** Stands for the token that was chosen for the row. */
    public static final int CHOSEN = -1;

    private final int[] requests;
    private int count;

    public Scores(int rowsMax) {
        requests = new int[rowsMax * WORDS];
    }

    public void clear() {
        count = 0;
    }

    /** Adds a row, above those before it: a token's log-probability, and the {@code topCount} likeliest tokens. */
    public void add(int row, int token, int topCount) {
        int at = count * WORDS;
        if (at == requests.length
                || topCount > TOP_MAX
                || token < CHOSEN
                || (count > 0 && row <= requests[at - WORDS])) {
            throw new IllegalArgumentException(
                    "row %d, token %d, %d likeliest: %d of %d rows are in the list, of at most %d likeliest each"
                            .formatted(row, token, topCount, count, rowsMax(), TOP_MAX));
        }
        requests[at] = row;
        requests[at + 1] = token;
        requests[at + 2] = topCount;
        count++;
    }

    /** Adds a row whose token is the one that was chosen. */
    public void addChosen(int row, int topCount) {
        add(row, CHOSEN, topCount);
    }

    public int count() {
        return count;
    }

    public int rowsMax() {
        return requests.length / WORDS;
    }

    public int row(int index) {
        return requests[index * WORDS];
    }

    /** A token, or {@link #CHOSEN}. */
    public int token(int index) {
        return requests[index * WORDS + 1];
    }

    public int topCount(int index) {
        return requests[index * WORDS + 2];
    }

    /** The first {@code count * WORDS} are in use. */
    public int[] requests() {
        return requests;
    }

    /** Log-probabilities on their way to the host, by row. */
    public interface Reading {
        /** Waits until they are there. */
        void await();

        /** The row's largest logit, NaN if any of its logits is. Where it is not a finite number, so is nothing else of the row. */
        float largest(int row);

        int token(int row);

        float logprob(int row);

        /** From 1. */
        int rank(int row);

        /** The id of the {@code index}-th likeliest, of as many as were asked for or the vocabulary has. */
        int topId(int row, int index);

        float topLogprob(int row, int index);
    }
}
