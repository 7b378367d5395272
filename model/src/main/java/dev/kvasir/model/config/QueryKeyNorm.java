package dev.kvasir.model.config;

/** Normalisation of queries and keys before rotation. */
public enum QueryKeyNorm {
    NONE,
    /** Each head by itself, one weight vector for all heads (Qwen 3, Gemma 3). */
    PER_HEAD,
    /** All heads of a token together (OLMo 2). */
    WHOLE_ROW
}
