package dev.kvasir.worker.runner;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.kernel.Scores;

/**
 * What {@link Sampler#score} is asked for in a step, written down for a device that has the logits, and what came of it. Prompt
 * tokens are scored there, and tokens of outputs that the device itself chooses.
 */
public final class ScoreList {
    private ScoreList() {}

    /** Fills {@code scores} with what is to be scored of logit rows [from, from + count) of a step, which are its rows from 0. */
    static void fill(Scores scores, Step step, int from, int count) {
        scores.clear();
        int logitRow = -from;
        for (int i = 0; i < step.size() && logitRow < count; i++) {
            var work = step.get(i);
            int start = work.logitsFrom();
            int end = Math.min(work.to(), start + count - logitRow);
            for (int position = start + Math.max(0, -logitRow); position < end; position++) {
                add(scores, logitRow + position - start, work, position);
            }
            logitRow += work.to() - start;
        }
    }

    private static void add(Scores scores, int row, SequenceWork work, int position) {
        if (position >= work.scoreFrom() && position < work.scoreTo()) {
            scores.add(row, work.tokens()[position + 1], work.scoreTopCount());
        } else if (work.isChosenOnDevice() && work.output(0).isScored()) {
            scores.addChosen(row, work.output(0).parameters().logprobs());
        }
    }

    /**
     * A row's token as the sampler scores it.
     *
     * @param topCount likeliest tokens that were asked for
     * @throws NanLogitsException as the sampler's
     */
    public static ScoredToken token(Scores.Reading reading, int row, int topCount, int vocabularySize) {
        int token = reading.token(row);
        float max = reading.largest(row);
        if (!Float.isFinite(max)) {
            throw new NanLogitsException("for the log-probability of token " + token, max);
        }
        int count = Math.min(topCount, vocabularySize);
        var topIds = new int[count];
        var topLogprobs = new float[count];
        for (int i = 0; i < count; i++) {
            topIds[i] = reading.topId(row, i);
            topLogprobs[i] = reading.topLogprob(row, i);
        }
        return new ScoredToken(token, reading.logprob(row), reading.rank(row), topIds, topLogprobs);
    }
}
