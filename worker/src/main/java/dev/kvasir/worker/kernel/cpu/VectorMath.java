package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Functions over stretches of an array, whole vectors at a time. Errors, checked by test over all of their useful range:
 *
 * <pre>
 * exp            relative 3e-7; 0 below -87.3, constant above 88
 * sigmoid        absolute 3e-7
 * tanh           absolute 3e-7
 * erf            absolute 5e-7
 * </pre>
 *
 * They work on arrays and call each other as passes, because a function from vector to vector is fast only while the
 * compiler chooses to inline it, and allocates its result when it does not.
 */
final class VectorMath {
    private static final float EXP_MIN = -87.3f;
    private static final float EXP_MAX = 88f;
    private static final float LOG2_E = (float) (1 / Math.log(2));
    private static final float LN2_HIGH = 0x1.63p-1f;
    private static final float LN2_LOW = (float) (Math.log(2) - 0.693359375);

    /** Added and subtracted, rounds to the nearest integer; its low bits then hold that integer. */
    private static final float ROUNDER = 0x1.8p23f;

    private static final float ERF_P = (float) 0.3275911;
    private static final float ERF_1 = (float) 0.254829592;
    private static final float ERF_2 = (float) -0.284496736;
    private static final float ERF_3 = (float) 1.421413741;
    private static final float ERF_4 = (float) -1.453152027;
    private static final float ERF_5 = (float) 1.061405429;

    private VectorMath() {}

    /** x = exp(x - offset): 2^n times a Taylor polynomial of the rest, which is at most ln(2)/2 away from 0. */
    static void exp(float[] array, int at, int count, float offset) {
        for (int i = at; i < at + count; i += LANES) {
            var x = FloatVector.fromArray(FLOATS, array, i).sub(offset);
            var inRange = x.max(EXP_MIN).min(EXP_MAX);
            var shifted = inRange.mul(LOG2_E).add(ROUNDER);
            var n = shifted.sub(ROUNDER);
            var rest = inRange.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
            var sum = rest.mul(1f / 5040).add(1f / 720);
            sum = sum.mul(rest).add(1f / 120);
            sum = sum.mul(rest).add(1f / 24);
            sum = sum.mul(rest).add(1f / 6);
            sum = sum.mul(rest).add(0.5f);
            sum = sum.mul(rest).add(1f);
            sum = sum.mul(rest).add(1f);
            var exponent = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
            var scaled = sum.reinterpretAsInts().add(exponent).reinterpretAsFloats();
            scaled.blend(0f, x.lt(EXP_MIN)).intoArray(array, i);
        }
    }

    /** x = scale / (1 + exp(-x)) + shift. */
    static void sigmoid(float[] array, int at, int count, float scale, float shift) {
        multiply(array, at, count, -1);
        exp(array, at, count, 0);
        var numerator = FloatVector.broadcast(FLOATS, scale);
        for (int i = at; i < at + count; i += LANES) {
            numerator
                    .div(FloatVector.fromArray(FLOATS, array, i).add(1f))
                    .add(shift)
                    .intoArray(array, i);
        }
    }

    /** x = scale * tanh(x). */
    static void tanh(float[] array, int at, int count, float scale) {
        multiply(array, at, count, 2);
        sigmoid(array, at, count, 2 * scale, -scale);
    }

    /** x = erf(x), Abramowitz and Stegun 7.1.26; {@code scratch} is another stretch of the array. */
    static void erf(float[] array, int at, int count, int scratch) {
        for (int i = 0; i < count; i += LANES) {
            var x = FloatVector.fromArray(FLOATS, array, at + i);
            x.mul(x).neg().intoArray(array, scratch + i);
        }
        exp(array, scratch, count, 0);
        var one = FloatVector.broadcast(FLOATS, 1f);
        for (int i = 0; i < count; i += LANES) {
            var x = FloatVector.fromArray(FLOATS, array, at + i);
            var t = one.div(x.abs().mul(ERF_P).add(1f));
            var sum = t.mul(ERF_5).add(ERF_4);
            sum = sum.mul(t).add(ERF_3);
            sum = sum.mul(t).add(ERF_2);
            sum = sum.mul(t).add(ERF_1);
            var result = one.sub(sum.mul(t).mul(FloatVector.fromArray(FLOATS, array, scratch + i)));
            result.blend(result.neg(), x.lt(0f)).intoArray(array, at + i);
        }
    }

    static void multiply(float[] array, int at, int count, float scale) {
        for (int i = at; i < at + count; i += LANES) {
            FloatVector.fromArray(FLOATS, array, i).mul(scale).intoArray(array, i);
        }
    }
}
