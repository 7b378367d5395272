package dev.kvasir.worker.kernel;

/**
 * Explicit choices of one attention layer.
 *
 * @param headCount query heads; a multiple of kvHeadCount (grouped-query attention, arXiv:2305.13245)
 * @param headSize elements of a query or key head
 * @param scale multiplies scores, usually 1/sqrt(headSize)
 * @param window a token sees itself and at most window - 1 tokens before it; 0 is all
 * @param softcap scores become softcap * tanh(score / softcap); 0 is off (Gemma 2)
 */
public record AttentionShape(int headCount, int kvHeadCount, int headSize, float scale, int window, float softcap) {}
