package dev.kvasir.worker.kernel;

/**
 * Rotary position embedding (arXiv:2104.09864) as angles per position.
 *
 * @param inverseFrequencies radians per position of each rotated pair; twice its length is the rotated part of a head
 * @param attentionFactor multiplies both cosine and sine (YaRN, arXiv:2309.00071)
 * @param interleaved pairs are (2i, 2i+1) rather than (i, i + half)
 */
@SuppressWarnings("ArrayRecordComponent") // Built once per model, never compared.
public record RotaryTable(float[] inverseFrequencies, float attentionFactor, boolean interleaved) {}
