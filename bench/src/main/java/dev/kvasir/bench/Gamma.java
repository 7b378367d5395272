package dev.kvasir.bench;

import java.util.random.RandomGenerator;

/** Gamma-distributed numbers of scale 1, by Marsaglia and Tsang's squeeze (ACM TOMS 26, 2000). */
final class Gamma {
    private Gamma() {}

    /** One draw of mean {@code shape} and variance {@code shape}. */
    static double draw(double shape, RandomGenerator random) {
        if (shape < 1) {
            // Boosting: a draw of shape + 1 times U^(1/shape) has this shape.
            return draw(shape + 1, random) * Math.pow(1 - random.nextDouble(), 1 / shape);
        }
        double d = shape - 1.0 / 3;
        double c = 1 / Math.sqrt(9 * d);
        while (true) {
            double normal = random.nextGaussian();
            double v = Math.pow(1 + c * normal, 3);
            if (v > 0 && Math.log(1 - random.nextDouble()) < normal * normal / 2 + d - d * v + d * Math.log(v)) {
                return d * v;
            }
        }
    }
}
