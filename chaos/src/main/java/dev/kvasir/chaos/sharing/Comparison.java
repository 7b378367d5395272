package dev.kvasir.chaos.sharing;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Pairs of samples, with the shared cache and without: medians, their ratio, and where it lies with 95 % confidence, by
 * drawing pairs again.
 *
 * @param medianWith milliseconds with the shared cache
 * @param medianWithout without it
 * @param ratio of the first to the second
 */
record Comparison(double medianWith, double medianWithout, double ratio, double ratioLow, double ratioHigh) {
    private static final int DRAWS = 2000;
    private static final double TAIL = 0.025;

    static Comparison of(List<Sample> with, List<Sample> without, ToDoubleFunction<Sample> value) {
        double[] a = with.stream().mapToDouble(value).toArray();
        double[] b = without.stream().mapToDouble(value).toArray();
        int pairs = Math.min(a.length, b.length);
        if (pairs == 0) {
            return new Comparison(Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN);
        }
        var random = new SplittableRandom(0);
        double[] ratios = IntStream.range(0, DRAWS)
                .mapToDouble(_ -> {
                    int[] drawn = random.ints(pairs, 0, pairs).toArray();
                    return median(pick(a, drawn)) / median(pick(b, drawn));
                })
                .sorted()
                .toArray();
        return new Comparison(
                median(a),
                median(b),
                median(a) / median(b),
                ratios[(int) (TAIL * DRAWS)],
                ratios[(int) ((1 - TAIL) * DRAWS)]);
    }

    private static double[] pick(double[] from, int[] which) {
        return Arrays.stream(which).mapToDouble(i -> from[i]).toArray();
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
