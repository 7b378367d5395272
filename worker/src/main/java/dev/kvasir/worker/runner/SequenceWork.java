package dev.kvasir.worker.runner;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one sequence computes in a step, and what came of it.
 *
 * <pre>
 * [from, to)             tokens whose keys and values are computed
 * [scoreFrom, scoreTo)   rows of them whose logits score the token that follows in the prompt
 * to - 1                 the row whose logits choose the next token of each of the outputs, if there are any
 * </pre>
 *
 * A work that follows another computes one token, which that one, of the step before, chooses.
 */
public final class SequenceWork {
    /** Of {@link #follows}: the tokens are known. */
    public static final int NOBODY = -1;

    private static final int[] NOTHING = {};

    private int[] tokens = NOTHING;
    private int[] blockTable = NOTHING;
    private int from;
    private int to;
    private int follows = NOBODY;
    private boolean drawn;
    private int scoreFrom;
    private int scoreTo;
    private int scoreTopCount;
    private int position;
    private final SamplingState[] outputs = new SamplingState[SamplingParameters.N_MAX];
    private int outputCount;

    private final ScoredToken[] chosen = new ScoredToken[SamplingParameters.N_MAX];
    private final List<ScoredToken> scores = new ArrayList<>();
    private final List<ScoredToken> scoresView = Collections.unmodifiableList(scores);
    private @Nullable RuntimeException failure;

    void clear() {
        tokens = NOTHING;
        blockTable = NOTHING;
        for (int i = 0; i < outputCount; i++) {
            outputs[i] = null;
            chosen[i] = null;
        }
        outputCount = 0;
        scores.clear();
        failure = null;
    }

    /** Computes {@code tokens[from, to)}; the block table covers {@code to} tokens. Both are read during the step. */
    public void compute(int[] sequenceTokens, int start, int end, int[] table) {
        tokens = sequenceTokens;
        from = start;
        to = end;
        blockTable = table;
        follows = NOBODY;
        drawn = false;
        scoreFrom = end;
        scoreTo = end;
    }

    /** Computes the token at {@code position}, which the work of that index in the step before chooses. */
    public void follow(int index, int[] sequenceTokens, int position, int[] table) {
        compute(sequenceTokens, position, position + 1, table);
        follows = index;
    }

    /** Scores the prompt tokens after rows [start, end), with so many alternatives. */
    public void score(int start, int end, int topCount) {
        scoreFrom = start;
        scoreTo = end;
        scoreTopCount = topCount;
    }

    /** Chooses a token for one more output; all outputs have {@code count} tokens already. */
    public void choose(SamplingState output, int count) {
        outputs[outputCount++] = output;
        position = count;
    }

    public int[] tokens() {
        return tokens;
    }

    /** Index of the work in the step before that chooses the token to compute, or {@link #NOBODY}. */
    public int follows() {
        return follows;
    }

    public int[] blockTable() {
        return blockTable;
    }

    public int from() {
        return from;
    }

    public int to() {
        return to;
    }

    public int scoreFrom() {
        return scoreFrom;
    }

    public int scoreTo() {
        return scoreTo;
    }

    /** First row whose logits are wanted. Rows to score end at the prompt's last, which is the one that chooses. */
    int logitsFrom() {
        if (scoreFrom < scoreTo) {
            return scoreFrom;
        }
        return outputCount > 0 ? to - 1 : to;
    }

    public int scoreTopCount() {
        return scoreTopCount;
    }

    public int outputCount() {
        return outputCount;
    }

    public SamplingState output(int index) {
        return outputs[index];
    }

    /** Tokens that the outputs have already. */
    public int position() {
        return position;
    }

    /** The token of the one output is drawn where the logits are. */
    public void drawnOnDevice() {
        drawn = true;
    }

    /** Whether the token of the one output is drawn where the logits are. */
    public boolean isDrawnOnDevice() {
        return drawn;
    }

    /** Whether the tokens of the outputs, all of one request, are chosen where the logits are. */
    boolean isChosenOnDevice() {
        return drawn || (outputCount > 0 && outputs[0].isPlainlyGreedy(position));
    }

    /** Notes the token chosen for an output. */
    public void chose(int index, ScoredToken token) {
        chosen[index] = token;
    }

    /** Notes the score of the prompt token after the next scored row. */
    public void scored(ScoredToken token) {
        scores.add(token);
    }

    /** Notes that this sequence, and it alone, cannot go on. */
    public void failed(RuntimeException cause) {
        failure = cause;
    }

    public ScoredToken chosen(int index) {
        return chosen[index];
    }

    public List<ScoredToken> scores() {
        return scoresView;
    }

    public @Nullable RuntimeException failure() {
        return failure;
    }
}
