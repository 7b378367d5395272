package dev.kvasir.model.config;

/**
 * A normalisation of rows.
 *
 * @param weightOffset added to each stored weight (1 in Gemma, whose weights are centred on 0)
 * @param bias whether a stored bias is added; layer norms only
 */
public record Norm(Kind kind, float epsilon, float weightOffset, boolean bias) {
    /** How a row is normalised. */
    public enum Kind {
        /** Root mean square, arXiv:1910.07467. */
        RMS,
        /** Mean and variance, arXiv:1607.06450. */
        LAYER
    }
}
