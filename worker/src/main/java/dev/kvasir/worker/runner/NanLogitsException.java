package dev.kvasir.worker.runner;

/**
 * The model's logits for one token of one sequence cannot be sampled from: NaN, positive infinity, or no token at all
 * left possible. It fails that sequence; its batch-mates are not concerned.
 */
public final class NanLogitsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NanLogitsException(String what, float max) {
        super(
                "the model's logits %s cannot be used: %s"
                        .formatted(
                                what,
                                max == Float.NEGATIVE_INFINITY
                                        ? "no token has a finite one"
                                        : "the largest is " + max + ", which is not a finite number"),
                null,
                false,
                true);
    }
}
