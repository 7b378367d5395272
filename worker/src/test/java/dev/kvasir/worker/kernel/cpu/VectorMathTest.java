package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

final class VectorMathTest {
    @Test
    void expIsWithinThreeTenMillionthsOfItself() {
        double worst = 0;
        for (float x = -87; x < 88; x += 0.0037f) {
            double exact = Math.exp(x);
            worst = Math.max(worst, Math.abs(apply(VectorMathTest::exp, x) - exact) / exact);
        }
        assertThat(worst).isLessThan(3e-7);
    }

    @Test
    void expOfMinusInfinityIsZero() {
        assertThat(apply(VectorMathTest::exp, Float.NEGATIVE_INFINITY)).isZero();
        assertThat(apply(VectorMathTest::exp, 0)).isEqualTo(1);
    }

    @Test
    void tanhIsWithinThreeTenMillionths() {
        assertThat(worst(VectorMathTest::tanh, Math::tanh)).isLessThan(3e-7);
    }

    @Test
    void sigmoidIsWithinThreeTenMillionths() {
        assertThat(worst(VectorMathTest::sigmoid, x -> 1 / (1 + Math.exp(-x)))).isLessThan(3e-7);
    }

    @Test
    void erfHasItsTabulatedValues() {
        assertThat(Math.abs(apply(VectorMathTest::erf, 0.5f) - 0.5204998778)).isLessThan(5e-7);
        assertThat(Math.abs(apply(VectorMathTest::erf, -1f) + 0.8427007929)).isLessThan(5e-7);
        assertThat(Math.abs(apply(VectorMathTest::erf, 2f) - 0.9953222650)).isLessThan(5e-7);
        assertThat(apply(VectorMathTest::erf, 9f)).isEqualTo(1);
    }

    private static double worst(ArrayFunction tested, DoubleUnaryOperator exact) {
        double worst = 0;
        for (float x = -100; x < 100; x += 0.0037f) {
            worst = Math.max(worst, Math.abs(apply(tested, x) - exact.applyAsDouble(x)));
        }
        return worst;
    }

    private static float apply(ArrayFunction function, float x) {
        var array = new float[2 * Memory.LANES];
        array[0] = x;
        function.accept(array, 0, Memory.LANES);
        return array[0];
    }

    private interface ArrayFunction {
        void accept(float[] array, int at, int count);
    }

    private static void exp(float[] array, int at, int count) {
        VectorMath.exp(array, at, count, 0);
    }

    private static void sigmoid(float[] array, int at, int count) {
        VectorMath.sigmoid(array, at, count, 1, 0);
    }

    private static void tanh(float[] array, int at, int count) {
        VectorMath.tanh(array, at, count, 1);
    }

    private static void erf(float[] array, int at, int count) {
        VectorMath.erf(array, at, count, count);
    }
}
