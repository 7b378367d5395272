package dev.kvasir.model.config;

import java.util.List;

/** How rotary frequencies are stretched for contexts longer than those of training. */
public sealed interface RotaryScaling {
    /** Multiplies cosine and sine. */
    default double attentionFactor() {
        return 1;
    }

    record None() implements RotaryScaling {}

    /** Positions divided by a factor (arXiv:2306.15595). */
    record Linear(double factor) implements RotaryScaling {}

    /** NTK-aware: beyond originalLength, theta grows with the served length. */
    record Dynamic(double factor, int originalLength) implements RotaryScaling {}

    /** Llama 3.1: low frequencies divided, high ones kept, between them interpolated. */
    record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, double originalLength)
            implements RotaryScaling {}

    /**
     * YaRN (arXiv:2309.00071).
     *
     * @param truncate whether the bounds of the interpolated range are rounded to whole pairs
     */
    record Yarn(
            double factor,
            double originalLength,
            double attentionFactor,
            double betaFast,
            double betaSlow,
            boolean truncate)
            implements RotaryScaling {}

    /** LongRoPE (arXiv:2402.13753): a factor per pair, one list within originalLength and one beyond. */
    record LongRope(List<Double> shortFactors, List<Double> longFactors, int originalLength, double attentionFactor)
            implements RotaryScaling {
        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
        }
    }
}
