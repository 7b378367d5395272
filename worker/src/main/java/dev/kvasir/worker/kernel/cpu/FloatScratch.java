package dev.kvasir.worker.kernel.cpu;

/**
 * A heap array of one owner that grows to the largest need seen. It is large enough to be an object of its own region under
 * the default collector, which then starts at a page: from {@code start} on, vectors do not cross cache lines. Under
 * another collector they may, which costs about a tenth of the speed with vectors of 32 bytes, probably more with
 * vectors of 64, and nothing else.
 */
final class FloatScratch {
    private static final int LENGTH_MIN = 1 << 21;

    /** Array header of 16 bytes plus this many floats is one cache line. */
    private static final int START = 12;

    private float[] array = new float[0];

    /** The array, with room for so many floats from {@code start()} on. Growth forgets the contents. */
    float[] ensure(int floats) {
        if (array.length < floats + START) {
            array = new float
                    [Math.max(LENGTH_MIN, Math.max(floats + START, (int) Math.min(2L * array.length, 1 << 30)))];
        }
        return array;
    }

    float[] array() {
        return array;
    }

    int start() {
        return START;
    }

    static FloatScratch[] perThread(int threads) {
        var scratch = new FloatScratch[threads];
        for (int i = 0; i < threads; i++) {
            scratch[i] = new FloatScratch();
        }
        return scratch;
    }
}
