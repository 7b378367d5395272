package dev.kvasir.worker.runner;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Unnormalised softmax: exp((logit - max) * inverseTemperature), in float. Relative error below 2e-7; weights under
 * 2^-126 are exactly 0. Only products and sums, no fused ones, in one fixed order: the bits are the same on every
 * machine, whatever its vector width. The polynomial is that of Cephes' {@code expf} (S. L. Moshier).
 */
final class SoftmaxWeights {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

    private static final float LOG2_E = 1.442695f;
    private static final float LN2_HIGH = 0x1.63p-1f;
    private static final float LN2_LOW = -2.1219444e-4f;
    /** Below, the power of two becomes the exponent -127, whose bits are those of 0. */
    private static final float LEAST = -88.1f;
    /** 1.5 * 2^23: adding it rounds a small float to an integer, which its low bits then hold. */
    private static final float ROUNDER = 12582912f;

    private static final int ROUNDER_BITS = Float.floatToRawIntBits(ROUNDER);
    private static final float P2 = 0.5f;
    private static final float P3 = 0.16666666f;
    private static final float P4 = 0.041665796f;
    private static final float P5 = 0.008333452f;
    private static final float P6 = 0.0013981999f;
    private static final float P7 = 1.9875691E-4f;

    private SoftmaxWeights() {}

    static void compute(float[] logits, int size, float max, float inverseTemperature, float[] weights) {
        int i = 0;
        for (; i <= size - FLOATS.length(); i += FLOATS.length()) {
            exp(FloatVector.fromArray(FLOATS, logits, i).sub(max).mul(inverseTemperature))
                    .intoArray(weights, i);
        }
        for (; i < size; i++) {
            weights[i] = weight(logits[i], max, inverseTemperature);
        }
    }

    static float weight(float logit, float max, float inverseTemperature) {
        float x = Math.max((logit - max) * inverseTemperature, LEAST);
        float rounded = x * LOG2_E + ROUNDER;
        float exponent = rounded - ROUNDER;
        float r = x - exponent * LN2_HIGH - exponent * LN2_LOW;
        float p = ((((P7 * r + P6) * r + P5) * r + P4) * r + P3) * r + P2;
        float power = Float.intBitsToFloat((Float.floatToRawIntBits(rounded) - ROUNDER_BITS + 127) << 23);
        return (p * r * r + r + 1f) * power;
    }

    /** The same operations in the same order as in {@link #weight}. */
    private static FloatVector exp(FloatVector scaled) {
        var x = scaled.max(LEAST);
        var rounded = x.mul(LOG2_E).add(ROUNDER);
        var exponent = rounded.sub(ROUNDER);
        var r = x.sub(exponent.mul(LN2_HIGH)).sub(exponent.mul(LN2_LOW));
        var p = r.mul(P7)
                .add(P6)
                .mul(r)
                .add(P5)
                .mul(r)
                .add(P4)
                .mul(r)
                .add(P3)
                .mul(r)
                .add(P2);
        var power = rounded.reinterpretAsInts()
                .sub(ROUNDER_BITS)
                .add(127)
                .lanewise(VectorOperators.LSHL, 23)
                .reinterpretAsFloats();
        return p.mul(r).mul(r).add(r).add(1f).mul(power);
    }
}
