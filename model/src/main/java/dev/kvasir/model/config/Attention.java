package dev.kvasir.model.config;

import org.jspecify.annotations.Nullable;

/**
 * Causal grouped-query attention (arXiv:2305.13245).
 *
 * @param headCount query heads, a multiple of kvHeadCount
 * @param headSize elements of one query, key or value head
 * @param scale multiplies scores
 * @param window a token sees itself and at most window - 1 tokens before it; 0 is all
 * @param softcap scores become softcap * tanh(score / softcap); 0 is off
 * @param rotary how queries and keys are rotated; null for not at all
 * @param bias whether query, key and value projections have one
 * @param outputBias whether the output projection has one
 */
public record Attention(
        int headCount,
        int kvHeadCount,
        int headSize,
        float scale,
        int window,
        float softcap,
        @Nullable Rotary rotary,
        QueryKeyNorm queryKeyNorm,
        boolean bias,
        boolean outputBias)
        implements Mixer {

    /** Elements of all query heads of a token. */
    public int querySize() {
        return headCount * headSize;
    }

    /** Elements of all key heads of a token. */
    public int keySize() {
        return kvHeadCount * headSize;
    }
}
