package dev.kvasir.bench;

import java.util.Arrays;

/**
 * Samples, all of them: percentiles are exact, not from buckets. Between two samples they are interpolated linearly, as
 * NumPy does by default. Of no samples every figure is NaN.
 */
public final class Distribution {
    private final double[] sorted;

    private Distribution(double[] sorted) {
        this.sorted = sorted;
    }

    public static Distribution of(double... samples) {
        var sorted = samples.clone();
        Arrays.sort(sorted);
        return new Distribution(sorted);
    }

    public int count() {
        return sorted.length;
    }

    public double mean() {
        return Arrays.stream(sorted).average().orElse(Double.NaN);
    }

    public double median() {
        return percentile(50);
    }

    public double max() {
        return percentile(100);
    }

    /** The value below which {@code percent} of the samples lie; percent in [0, 100]. */
    public double percentile(double percent) {
        if (!(percent >= 0 && percent <= 100)) {
            throw new IllegalArgumentException("percentile must be in [0, 100], is " + percent);
        }
        if (sorted.length == 0) {
            return Double.NaN;
        }
        double position = percent / 100 * (sorted.length - 1);
        int below = (int) position;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }

    /** The same samples in another unit. */
    Distribution scaled(double factor) {
        return of(Arrays.stream(sorted).map(value -> value * factor).toArray());
    }
}
