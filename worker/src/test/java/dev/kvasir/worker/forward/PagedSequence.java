package dev.kvasir.worker.forward;

import dev.kvasir.worker.kernel.Matrix;
import java.util.ArrayList;
import java.util.List;

/** A sequence that is computed greedily over KV blocks, with the log probabilities met on the way. */
final class PagedSequence {
    final int[] tokens;
    final int[] blockTable;
    final List<Double> promptLogprobs = new ArrayList<>();
    final List<Integer> greedy = new ArrayList<>();
    final List<Double> greedyLogprobs = new ArrayList<>();
    private final int promptLength;
    private final int newTokens;
    int known;
    int computed;

    PagedSequence(List<Integer> prompt, int newTokens, int[] blockTable) {
        this.promptLength = prompt.size();
        this.newTokens = newTokens;
        this.blockTable = blockTable;
        this.tokens = new int[promptLength + newTokens];
        for (int i = 0; i < promptLength; i++) {
            tokens[i] = prompt.get(i);
        }
        this.known = promptLength;
    }

    boolean finished() {
        return greedy.size() == newTokens;
    }

    /** Takes the logits after the token at a position. */
    void take(int position, Matrix logits, int row) {
        var values = new float[logits.columns()];
        logits.read(row, values);
        if (position + 1 < promptLength) {
            promptLogprobs.add(logprob(values, tokens[position + 1]));
            return;
        }
        int best = 0;
        for (int token = 1; token < values.length; token++) {
            best = values[token] > values[best] ? token : best;
        }
        greedy.add(best);
        greedyLogprobs.add(logprob(values, best));
        tokens[known++] = best;
    }

    private static double logprob(float[] logits, int token) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        return logits[token] - max - Math.log(sum);
    }
}
