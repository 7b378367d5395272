package dev.kvasir.worker.kernel;

/**
 * One step's work, flattened: the token rows of all sequences one after the other. Arrays are allocated once and refilled
 * for each step.
 *
 * <pre>
 * row        0 .. rowCount                    tokenIds, positions: one entry per row
 * sequence   0 .. sequenceCount               rows [rowStart[s], rowStart[s+1]) belong to sequence s,
 *                                             they are its tokens [contextLength[s] - rows, contextLength[s])
 * logits     0 .. logitRowCount               logitRows: the rows whose next-token logits are wanted, ascending
 *
 * tokenIds   an id, or -1 - r for what the step before chose at the r-th of its logit rows
 * </pre>
 *
 * Keys and values of a token at position p of sequence s go to slot {@code p % blockSize} of block
 * {@code blockTables[s][p / blockSize]}; the table covers {@code contextLength[s]} tokens.
 */
public final class Batch {
    public final int[] tokenIds;
    public final int[] positions;
    public final int[] rowStart;
    public final int[] contextLength;
    public final int[][] blockTables;
    public final int[] logitRows;
    public int rowCount;
    public int sequenceCount;
    public int logitRowCount;

    /**
     * @param rowsMax most token rows of a step (the scheduler's token budget)
     * @param sequencesMax most sequences of a step
     */
    public Batch(int rowsMax, int sequencesMax) {
        tokenIds = new int[rowsMax];
        positions = new int[rowsMax];
        rowStart = new int[sequencesMax + 1];
        contextLength = new int[sequencesMax];
        blockTables = new int[sequencesMax][];
        logitRows = new int[rowsMax];
    }

    public int rowsMax() {
        return tokenIds.length;
    }

    public int sequencesMax() {
        return contextLength.length;
    }

    public void clear() {
        rowCount = 0;
        sequenceCount = 0;
        logitRowCount = 0;
    }

    /** Becomes another batch, of the same limits; block tables are shared. */
    public void copyFrom(Batch other) {
        rowCount = other.rowCount;
        sequenceCount = other.sequenceCount;
        logitRowCount = other.logitRowCount;
        System.arraycopy(other.tokenIds, 0, tokenIds, 0, rowCount);
        System.arraycopy(other.positions, 0, positions, 0, rowCount);
        System.arraycopy(other.rowStart, 0, rowStart, 0, sequenceCount + 1);
        System.arraycopy(other.contextLength, 0, contextLength, 0, sequenceCount);
        System.arraycopy(other.blockTables, 0, blockTables, 0, sequenceCount);
        System.arraycopy(other.logitRows, 0, logitRows, 0, logitRowCount);
    }

    /**
     * Adds a sequence that computes tokens {@code [from, to)} of {@code tokens}.
     *
     * @param blockTable block numbers covering at least {@code to} tokens; read during the step, not copied
     * @param logitsFrom rows of tokens at this position and after want logits; {@code to} for none
     */
    public void add(int[] tokens, int from, int to, int[] blockTable, int logitsFrom) {
        rowStart[sequenceCount] = rowCount;
        contextLength[sequenceCount] = to;
        blockTables[sequenceCount] = blockTable;
        for (int position = from; position < to; position++) {
            if (position >= logitsFrom) {
                logitRows[logitRowCount++] = rowCount;
            }
            tokenIds[rowCount] = tokens[position];
            positions[rowCount] = position;
            rowCount++;
        }
        sequenceCount++;
        rowStart[sequenceCount] = rowCount;
    }

    /**
     * Adds a sequence that computes one token, the choice of a row of the step before, and wants its logits.
     *
     * @param choice row of that step's logits
     * @param position of the token
     */
    public void follow(int choice, int position, int[] blockTable) {
        contextLength[sequenceCount] = position + 1;
        blockTables[sequenceCount] = blockTable;
        logitRows[logitRowCount++] = rowCount;
        tokenIds[rowCount] = -1 - choice;
        positions[rowCount] = position;
        rowCount++;
        sequenceCount++;
        rowStart[sequenceCount] = rowCount;
    }
}
