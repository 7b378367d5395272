package dev.kvasir.worker.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class E4m3Test {
    private static final int NAN = 0x7f;
    private static final int LARGEST = 0x7e;

    private final long seed = Long.getLong("seed", 23);
    private final SplittableRandom random = new SplittableRandom(seed);

    /** As the format is defined: bias 7, three bits of mantissa, subnormals in steps of 2^-9. */
    private static double value(int code) {
        int exponent = (code >> 3) & 15;
        int mantissa = code & 7;
        double magnitude = exponent == 0 ? mantissa * Math.pow(2, -9) : (8 + mantissa) * Math.pow(2, exponent - 10);
        return code < 128 ? magnitude : -magnitude;
    }

    @Test
    void every256CodesStandForTheirNumberAndComeBack() {
        for (int code = 0; code < 256; code++) {
            float decoded = E4m3.decode((byte) code);
            if ((code & NAN) == NAN) {
                assertThat(decoded).isNaN();
            } else {
                assertThat((double) decoded).as("code %d", code).isEqualTo(value(code));
                assertThat(E4m3.encode(decoded)).isEqualTo((byte) code);
            }
        }
        assertThat(E4m3.decode((byte) LARGEST)).isEqualTo(E4m3.MAX).isEqualTo(448);
        assertThat(E4m3.decode((byte) 1)).isEqualTo(0x1p-9f);
        assertThat(E4m3.decode((byte) 8)).isEqualTo(0x1p-6f);
    }

    @Test
    void betweenTwoNeighboursTheNearestIsTakenAndInTheMiddleTheEvenOne() {
        for (int code = 0; code < LARGEST; code++) {
            float middle = (float) ((value(code) + value(code + 1)) / 2);
            for (int sign : new int[] {0, 0x80}) {
                float signed = sign == 0 ? 1 : -1;
                assertThat(E4m3.encode(signed * Math.nextDown(middle))).isEqualTo((byte) (sign | code));
                assertThat(E4m3.encode(signed * Math.nextUp(middle))).isEqualTo((byte) (sign | (code + 1)));
                assertThat(E4m3.encode(signed * middle))
                        .as("between %d and its successor", code)
                        .isEqualTo((byte) (sign | (code + (code & 1))));
            }
        }
    }

    @Test
    void nothingIsNearerThanWhatIsChosen() {
        for (int i = 0; i < 20_000; i++) {
            float x = (float) (random.nextGaussian() * Math.pow(2, random.nextInt(-14, 10)));
            double error = Math.abs(E4m3.decode(E4m3.encode(x)) - Math.clamp((double) x, -448, 448));
            for (int code = 0; code < 256; code++) {
                if ((code & NAN) != NAN) {
                    assertThat(error)
                            .as("seed %d, %s against code %d", seed, x, code)
                            .isLessThanOrEqualTo(Math.abs(value(code) - Math.clamp((double) x, -448, 448)));
                }
            }
        }
    }

    @Test
    void largeNumbersSaturateAndWhatIsNotFiniteIsNotHidden() {
        for (float x : new float[] {449, 464, 480, 1e10f, Float.MAX_VALUE}) {
            assertThat(E4m3.decode(E4m3.encode(x))).isEqualTo(448);
            assertThat(E4m3.decode(E4m3.encode(-x))).isEqualTo(-448);
        }
        assertThat(E4m3.decode(E4m3.encode(Float.NaN))).isNaN();
        assertThat(E4m3.decode(E4m3.encode(Float.POSITIVE_INFINITY))).isNaN();
        assertThat(E4m3.decode(E4m3.encode(Float.NEGATIVE_INFINITY))).isNaN();
        assertThat(E4m3.encode(-0f)).isEqualTo((byte) 0x80);
    }

    @Test
    void theLargestElementOfARowIsKeptToAThousandth() {
        for (int i = 0; i < 10_000; i++) {
            float largest = (float) (random.nextDouble(1, 2) * Math.pow(2, random.nextInt(-5, 15)));
            float scale = E4m3.scale(largest);
            assertThat(Float.float16ToFloat(Float.floatToFloat16(scale))).isEqualTo(scale);
            float back = E4m3.decode(E4m3.encode(largest * (1 / scale))) * scale;
            assertThat(back).as("seed %d", seed).isCloseTo(largest, withinPercentage(0.1));
        }
    }

    @Test
    void scalesAreInARangeThatKeepsScaledNumbersInThatOfSixteenBits() {
        assertThat(E4m3.scale(448)).isOne();
        assertThat(E4m3.scale(0)).isEqualTo(E4m3.SCALE_MIN);
        assertThat(E4m3.scale(Float.POSITIVE_INFINITY)).isEqualTo(E4m3.SCALE_MAX);
        assertThat(E4m3.MAX * E4m3.SCALE_MAX).isEqualTo(57_344);
        for (int code = 0; code < LARGEST; code++) {
            for (float scale : new float[] {E4m3.SCALE_MIN, 0.3f, 1, 77, E4m3.SCALE_MAX}) {
                float scaled = E4m3.decode((byte) code) * E4m3.scale(scale * E4m3.MAX);
                float half = Float.float16ToFloat(Float.floatToFloat16(scaled));
                assertThat(half).isCloseTo(scaled, within(Math.max(0x1p-25f, scaled * 0x1p-11f)));
            }
        }
    }
}
