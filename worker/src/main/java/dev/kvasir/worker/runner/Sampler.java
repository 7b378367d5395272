package dev.kvasir.worker.runner;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import java.util.Arrays;

/**
 * Chooses tokens from logits, in vLLM's order: logit bias, no end before {@code min_tokens}, penalties, temperature,
 * min-p, top-k, top-p; then the inverse of the cumulative distribution over token ids at a counter-based random number.
 * The token at position k of an output so depends on the logits, the seed, the output and k alone. Equal logits are
 * ordered by token id, lower first. Log-probabilities are those of the logits as they came.
 *
 * <p>Owns scratch memory for one vocabulary and allocates only what it returns. For one thread.
 */
public final class Sampler {
    /** Logits are looked at as rows of so many columns: loops over a row have no reduction and become vectors. */
    private static final int COLUMNS = 1024;

    private final int vocabularySize;
    private final float[] columnMax;
    private final long[] columnKeys;
    private final float[] weights;
    private final double[] rowSums;
    private final long[] keys;
    private final int[] ids;
    private final int[] block = new int[4];

    private int[] changedIds = new int[64];
    private float[] changedFrom = new float[64];
    private int changed;

    public Sampler(int vocabularySize) {
        this.vocabularySize = vocabularySize;
        columnMax = new float[Math.min(COLUMNS, vocabularySize)];
        columnKeys = new long[columnMax.length];
        weights = new float[vocabularySize];
        rowSums = new double[(vocabularySize + COLUMNS - 1) / COLUMNS];
        keys = new long[vocabularySize];
        ids = new int[vocabularySize];
    }

    /**
     * The token at {@code position} of an output, scored if its parameters say so. The caller then tells {@code state}.
     *
     * @param logits of the whole vocabulary, finite or negative infinity; unchanged on return
     * @param position number of tokens the output has already
     */
    public ScoredToken sample(float[] logits, SamplingState state, int position) {
        var parameters = state.parameters();
        double uniform = Philox.uniform(parameters.seed(), state.outputIndex(), position, block);
        int token = choose(logits, state, position, uniform);
        int alternatives = parameters.logprobs();
        return alternatives == SamplingParameters.NO_LOGPROBS
                ? ScoredToken.unscored(token)
                : score(logits, token, alternatives);
    }

    /** The token where the cumulative distribution passes {@code uniform}, in [0, 1). */
    int choose(float[] logits, SamplingState state, int position, double uniform) {
        try {
            adjust(logits, state, position);
            float max = max(logits);
            if (!Float.isFinite(max)) {
                throw new NanLogitsException("at output position " + position, max);
            }
            return state.parameters().isGreedy() ? first(logits, max) : draw(logits, state.parameters(), max, uniform);
        } finally {
            restore(logits);
        }
    }

    /** A given token's log-probability and rank, and the {@code topCount} likeliest tokens. */
    public ScoredToken score(float[] logits, int token, int topCount) {
        float max = max(logits);
        if (!Float.isFinite(max)) {
            throw new NanLogitsException("for the log-probability of token " + token, max);
        }
        SoftmaxWeights.compute(logits, vocabularySize, max, 1, weights);
        double logSum = Math.log(sumRows(0));
        int count = Math.min(topCount, vocabularySize);
        var topIds = new int[count];
        var topLogprobs = new float[count];
        if (count > 0) {
            gatherBest(logits, count);
            Arrays.sort(keys, 0, count);
        }
        for (int i = 0; i < count; i++) {
            topIds[i] = Selection.id(keys[i]);
            topLogprobs[i] = (float) ((double) logits[topIds[i]] - max - logSum);
        }
        float logprob = (float) ((double) logits[token] - max - logSum);
        return new ScoredToken(token, logprob, rank(logits, token), topIds, topLogprobs);
    }

    private void adjust(float[] logits, SamplingState state, int position) {
        var biasedIds = state.biasedIds();
        for (int i = 0; i < biasedIds.length; i++) {
            change(logits, biasedIds[i], logits[biasedIds[i]] + state.biases()[i]);
        }
        if (position < state.parameters().minTokens()) {
            for (int id : state.endingIds()) {
                change(logits, id, Float.NEGATIVE_INFINITY);
            }
        }
        penalise(logits, state);
    }

    private void penalise(float[] logits, SamplingState state) {
        var parameters = state.parameters();
        float repetition = parameters.repetitionPenalty();
        var counts = state.counts();
        for (int i = 0; i < counts.size(); i++) {
            int id = counts.id(i);
            float logit = logits[id];
            logit = logit > 0 ? logit / repetition : logit * repetition;
            if (counts.count(i) > 0) {
                logit -= parameters.frequencyPenalty() * counts.count(i);
                logit -= parameters.presencePenalty();
            }
            change(logits, id, logit);
        }
    }

    private void change(float[] logits, int id, float logit) {
        if (changed == changedIds.length) {
            changedIds = Arrays.copyOf(changedIds, 2 * changed);
            changedFrom = Arrays.copyOf(changedFrom, 2 * changed);
        }
        changedIds[changed] = id;
        changedFrom[changed++] = logits[id];
        logits[id] = Float.isNaN(logits[id]) ? Float.NaN : logit; // A broken logit is never hidden.
    }

    private void restore(float[] logits) {
        while (changed > 0) {
            changed--;
            logits[changedIds[changed]] = changedFrom[changed];
        }
    }

    private int draw(float[] logits, SamplingParameters parameters, float max, double uniform) {
        float inverseTemperature = Math.min(1 / parameters.temperature(), Float.MAX_VALUE);
        boolean someK = parameters.topK() > 0 && parameters.topK() < vocabularySize;
        if (someK) {
            int kept = weighBest(logits, parameters, max, inverseTemperature);
            return drawFrom(cutToTopP(kept, parameters.topP(), sum(kept)), uniform);
        }
        SoftmaxWeights.compute(logits, vocabularySize, max, inverseTemperature, weights);
        double total = sumRows(parameters.minP());
        if (parameters.topP() == 1) {
            return drawFromAll(uniform * total);
        }
        return drawFrom(cutToTopP(gatherLikely(logits, parameters.topP(), total), parameters.topP(), total), uniform);
    }

    /** The largest logit, NaN if any is NaN; fills {@code columnMax}. */
    private float max(float[] logits) {
        Arrays.fill(columnMax, Float.NEGATIVE_INFINITY);
        for (int row = 0; row < vocabularySize; row += COLUMNS) {
            maxInto(columnMax, logits, row, Math.min(COLUMNS, vocabularySize - row));
        }
        float max = Float.NEGATIVE_INFINITY;
        for (float candidate : columnMax) {
            max = Math.max(max, candidate);
        }
        return max;
    }

    private static void maxInto(float[] columnMax, float[] logits, int row, int columns) {
        for (int column = 0; column < columns; column++) {
            columnMax[column] = Math.max(columnMax[column], logits[row + column]);
        }
    }

    /** The lowest id with the largest logit. */
    private int first(float[] logits, float max) {
        int first = vocabularySize;
        for (int column = 0; column < columnMax.length; column++) {
            if (columnMax[column] == max) {
                int id = column;
                while (logits[id] != max) {
                    id += COLUMNS;
                }
                first = Math.min(first, id);
            }
        }
        return first;
    }

    private int rank(float[] logits, int token) {
        float logit = logits[token];
        int rank = 1;
        for (int id = 0; id < vocabularySize; id++) {
            rank += logits[id] > logit ? 1 : 0;
        }
        for (int id = 0; id < token; id++) {
            rank += logits[id] == logit ? 1 : 0;
        }
        return rank;
    }

    /**
     * Moves the {@code count} best tokens to the front of {@code keys}; {@code columnMax} must be of these logits. The
     * count-th largest of the column maxima is no larger than the count-th largest logit, so only few need be looked at.
     */
    private void gatherBest(float[] logits, int count) {
        float least = Float.NEGATIVE_INFINITY;
        if (count <= columnMax.length) {
            for (int column = 0; column < columnMax.length; column++) {
                columnKeys[column] = Selection.key(columnMax[column], column);
            }
            Selection.bestFirst(columnKeys, columnMax.length, count);
            least = Float.POSITIVE_INFINITY;
            for (int i = 0; i < count; i++) {
                least = Math.min(least, columnMax[Selection.id(columnKeys[i])]);
            }
        }
        int size = 0;
        for (int id = 0; id < vocabularySize; id++) {
            if (logits[id] >= least) {
                keys[size++] = Selection.key(logits[id], id);
            }
        }
        Selection.bestFirst(keys, size, count);
    }

    /** Top-k, then min-p: leaves the kept tokens in {@code keys}, their weights in {@code weights}; returns how many. */
    private int weighBest(float[] logits, SamplingParameters parameters, float max, float inverseTemperature) {
        gatherBest(logits, parameters.topK());
        int kept = 0;
        for (int i = 0; i < parameters.topK(); i++) {
            int id = Selection.id(keys[i]);
            weights[id] = SoftmaxWeights.weight(logits[id], max, inverseTemperature);
            if (weights[id] > 0 && weights[id] >= parameters.minP()) {
                keys[kept++] = keys[i];
            }
        }
        return kept;
    }

    /**
     * Puts into {@code keys} all tokens that top-p may keep. Tokens lighter than (1 - p) * total / size weigh less than
     * (1 - p) * total together, so that the others reach p without them.
     */
    private int gatherLikely(float[] logits, float topP, double total) {
        double least = (1 - (double) topP) * total / vocabularySize;
        int size = 0;
        for (int id = 0; id < vocabularySize; id++) {
            if (weights[id] >= least && weights[id] > 0) {
                keys[size++] = Selection.key(logits[id], id);
            }
        }
        return size;
    }

    private int cutToTopP(int size, float topP, double total) {
        return topP == 1 ? size : Selection.bestOfMass(keys, size, weights, topP * total);
    }

    private double sum(int size) {
        double total = 0;
        for (int i = 0; i < size; i++) {
            total += weights[Selection.id(keys[i])];
        }
        return total;
    }

    /** Draws from the first {@code size} of {@code keys}, in the order of their ids. */
    private int drawFrom(int size, double uniform) {
        for (int i = 0; i < size; i++) {
            ids[i] = Selection.id(keys[i]);
        }
        Arrays.sort(ids, 0, size);
        double total = 0;
        for (int i = 0; i < size; i++) {
            total += weights[ids[i]];
        }
        double cumulative = 0;
        for (int i = 0; i < size; i++) {
            cumulative += weights[ids[i]];
            if (cumulative > uniform * total) {
                return ids[i];
            }
        }
        return ids[size - 1];
    }

    /** Sums {@code weights} into {@code rowSums}, weights below {@code least} made 0; returns their sum. */
    private double sumRows(float least) {
        double total = 0;
        for (int row = 0; row < rowSums.length; row++) {
            int from = row * COLUMNS;
            int to = Math.min(from + COLUMNS, vocabularySize);
            if (least > 0) {
                dropBelow(least, weights, from, to);
            }
            rowSums[row] = sum(weights, from, to);
            total += rowSums[row];
        }
        return total;
    }

    private static void dropBelow(float least, float[] weights, int from, int to) {
        for (int i = from; i < to; i++) {
            weights[i] = weights[i] >= least ? weights[i] : 0;
        }
    }

    /** Four sums at once, since a single one would wait for each addition. */
    private static double sum(float[] values, int from, int to) {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = from;
        for (; i <= to - 4; i += 4) {
            a += values[i];
            b += values[i + 1];
            c += values[i + 2];
            d += values[i + 3];
        }
        for (; i < to; i++) {
            a += values[i];
        }
        return (a + b) + (c + d);
    }

    /** Draws from the whole vocabulary: finds the row, then the token in it. */
    private int drawFromAll(double target) {
        double cumulative = 0;
        double beforeRow = 0;
        int row = 0;
        for (int candidate = 0; candidate < rowSums.length && cumulative <= target; candidate++) {
            if (rowSums[candidate] > 0) {
                row = candidate;
                beforeRow = cumulative;
                cumulative += rowSums[candidate];
            }
        }
        int last = 0;
        int to = Math.min((row + 1) * COLUMNS, vocabularySize);
        cumulative = beforeRow;
        for (int id = row * COLUMNS; id < to && cumulative <= target; id++) {
            if (weights[id] > 0) {
                last = id;
                cumulative += weights[id];
            }
        }
        return last; // Also where the row's sum, made in another order, was larger by a rounding.
    }
}
