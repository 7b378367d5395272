package dev.kvasir.worker.kernel;

/**
 * Eight-bit floats of four exponent and three mantissa bits (arXiv:2209.05433, "E4M3"): no infinities, one NaN of each sign,
 * 448 at most; and the scales of rows that are stored in them.
 *
 * <p>A row's scale is what brings its largest magnitude to 448, as a 16-bit float: then the largest element, which weighs most,
 * is kept to a thousandth, while others are to a sixteenth at most. Scales are in a range in which every scaled number is one
 * of 16 bits, too: larger elements than 57,344 become that. Every processor stores the same bytes.
 */
public final class E4m3 {
    public static final float MAX = 448;

    /** Below it rows keep fewer bits, but none that matter beside others. */
    public static final float SCALE_MIN = 0x1p-14f;

    public static final float SCALE_MAX = 128;

    private static final int NAN = 0x7f;
    private static final int MAX_CODE = 0x7e;
    private static final int SIGN = 0x80;
    private static final int DROPPED_BITS = 23 - 3;
    private static final int BIAS_DIFFERENCE = 127 - 7;
    private static final float NORMAL_MIN = 0x1p-6f;
    private static final float SUBNORMAL_STEP = 0x1p-9f;

    private E4m3() {}

    /** Rounds to nearest, ties to even; what is larger than {@link #MAX} becomes it, what is not finite NaN. */
    public static byte encode(float value) {
        int bits = Float.floatToRawIntBits(value);
        int sign = (bits >>> 24) & SIGN;
        float magnitude = Math.abs(value);
        if (!(magnitude < Float.POSITIVE_INFINITY)) {
            return (byte) (sign | NAN);
        }
        if (magnitude > MAX) {
            return (byte) (sign | MAX_CODE);
        }
        if (magnitude < NORMAL_MIN) {
            return (byte) (sign | (int) Math.rint(magnitude / SUBNORMAL_STEP));
        }
        int rest = bits & 0x7fff_ffff;
        int rounded = (rest + (1 << (DROPPED_BITS - 1)) - 1 + ((rest >>> DROPPED_BITS) & 1)) >>> DROPPED_BITS;
        return (byte) (sign | (rounded - (BIAS_DIFFERENCE << 3)));
    }

    public static float decode(byte code) {
        int magnitude = code & 0x7f;
        if (magnitude == NAN) {
            return Float.NaN;
        }
        int exponent = magnitude >>> 3;
        int mantissa = magnitude & 7;
        float value = exponent == 0 ? mantissa * SUBNORMAL_STEP : Math.scalb(1 + mantissa / 8f, exponent - 7);
        return code < 0 ? -value : value;
    }

    /** The scale of a row with this largest magnitude: what numbers are multiplied by. */
    public static float scale(float largest) {
        return Float.float16ToFloat(Float.floatToFloat16(Math.clamp(largest / MAX, SCALE_MIN, SCALE_MAX)));
    }
}
