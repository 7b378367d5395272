package dev.kvasir.model.config;

/**
 * Rotary position embedding (arXiv:2104.09864).
 *
 * @param size elements of a head that take part; an odd number is rounded up to whole pairs
 * @param theta base of the frequencies
 * @param scaling how frequencies are stretched for contexts longer than trained ones
 * @param interleaved pairs are (2i, 2i+1) rather than (i, i + half)
 */
public record Rotary(int size, double theta, RotaryScaling scaling, boolean interleaved) {

    /** Pairs of elements that rotate together. */
    public int pairCount() {
        return (size + 1) / 2;
    }

    /**
     * Radians per position of each pair.
     *
     * @param servedLength longest sequence to be served. Where a scaling depends on the length of a sequence, this length
     *     decides for all: cached keys must not depend on which sequence computed them, nor on when.
     */
    public float[] inverseFrequencies(int servedLength) {
        return RotaryFrequencies.of(this, servedLength);
    }
}
