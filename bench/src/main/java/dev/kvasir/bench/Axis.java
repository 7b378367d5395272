package dev.kvasir.bench;

import java.util.ArrayList;
import java.util.List;

/** A scale of a chart, linear or logarithmic, with ticks at round values. */
record Axis(double min, double max, boolean logarithmic) {
    private static final double[] STEPS = {1, 2, 5, 10};

    Axis {
        if (!(max > min) || (logarithmic && !(min > 0))) {
            throw new IllegalArgumentException("no axis from %s to %s".formatted(min, max));
        }
    }

    /** From 0 to a round value at or above {@code max}. */
    static Axis fromZero(double max) {
        double top = max > 0 ? max : 1;
        double step = roundStep(top / 5);
        return new Axis(0, Math.ceil(top / step - 1e-9) * step, false);
    }

    /** Linear from 0, or logarithmic where a long tail would press the rest against the axis. */
    static Axis forLatencies(Distribution values) {
        double low = values.percentile(0);
        boolean longTail = low > 0 && values.max() > 10 * values.median();
        return longTail ? new Axis(low, values.max(), true) : fromZero(values.max());
    }

    /** Where {@code value} lies, 0 at the beginning and 1 at the end; values outside are put on the edge. */
    double position(double value) {
        double share =
                logarithmic ? Math.log(Math.max(value, min) / min) / Math.log(max / min) : (value - min) / (max - min);
        return Math.clamp(share, 0, 1);
    }

    List<Double> ticks() {
        var ticks = new ArrayList<Double>();
        if (!logarithmic) {
            double step = roundStep((max - min) / 5);
            for (int i = 0; min + i * step <= max * (1 + 1e-9); i++) {
                ticks.add(min + i * step);
            }
            return ticks;
        }
        boolean wide = max / min > 1000;
        for (double decade = Math.pow(10, Math.floor(Math.log10(min))); decade <= max; decade *= 10) {
            for (double factor : wide ? new double[] {1} : new double[] {1, 2, 5}) {
                if (decade * factor >= min && decade * factor <= max) {
                    ticks.add(decade * factor);
                }
            }
        }
        return ticks;
    }

    private static double roundStep(double size) {
        double decade = Math.pow(10, Math.floor(Math.log10(size)));
        for (double step : STEPS) {
            if (decade * step >= size * (1 - 1e-9)) {
                return decade * step;
            }
        }
        return decade * 10;
    }
}
