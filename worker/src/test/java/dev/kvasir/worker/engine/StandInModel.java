package dev.kvasir.worker.engine;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import java.util.ArrayList;
import java.util.List;

/**
 * A model whose right answer anyone can compute: the next token is a digest of all tokens before it, and of seed and output
 * unless sampling is greedy. Token 0 ends an output; a sequence that holds {@link #POISON} has no usable logits.
 */
public final class StandInModel {
    public static final int VOCABULARY = 97;
    public static final int END = 0;
    public static final int POISON = 96;

    private StandInModel() {}

    /** Digest of a sequence, token by token. */
    static long digest(long before, int token) {
        long mixed = (before ^ (token + 0x9E3779B97F4A7C15L)) * 0xBF58476D1CE4E5B9L;
        return mixed ^ (mixed >>> 29);
    }

    static ScoredToken next(long digest, SamplingParameters parameters, int outputIndex, int position) {
        long choice = parameters.isGreedy() ? digest : digest(digest(digest, (int) parameters.seed()), outputIndex);
        int token = (int) Long.remainderUnsigned(choice, POISON);
        boolean early = position < parameters.minTokens()
                && (token == END || parameters.stopTokenIds().contains(token));
        return ScoredToken.unscored(early ? 1 : token);
    }

    static ScoredToken score(long digest, int token) {
        return new ScoredToken(token, -(float) Math.abs(digest % 1_000), 1, new int[0], new float[0]);
    }

    /** What a request's output must be, computed with nothing else around. */
    public static List<Integer> output(int[] prompt, SamplingParameters parameters, int outputIndex, int lengthMax) {
        long digest = 0;
        for (int token : prompt) {
            digest = digest(digest, token);
        }
        var output = new ArrayList<Integer>();
        while (output.size() < parameters.maxTokens() && prompt.length + output.size() < lengthMax) {
            int token = next(digest, parameters, outputIndex, output.size()).token();
            output.add(token);
            digest = digest(digest, token);
            boolean stops = parameters.stopTokenIds().contains(token) || (token == END && !parameters.ignoreEos());
            if (stops && output.size() >= parameters.minTokens()) {
                break;
            }
        }
        return output;
    }

    static List<Float> promptScores(int[] prompt) {
        long digest = 0;
        var scores = new ArrayList<Float>();
        for (int i = 0; i + 1 < prompt.length; i++) {
            digest = digest(digest, prompt[i]);
            scores.add(score(digest, prompt[i + 1]).logprob());
        }
        return scores;
    }
}
