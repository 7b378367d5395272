package dev.kvasir.model.config;

import java.util.List;

/** Radians per position of each rotated pair, for every scaling. */
final class RotaryFrequencies {
    private RotaryFrequencies() {}

    static float[] of(Rotary rotary, int servedLength) {
        var frequencies = switch (rotary.scaling()) {
            case RotaryScaling.None _ -> plain(rotary, rotary.theta());
            case RotaryScaling.Linear linear -> divided(plain(rotary, rotary.theta()), linear.factor());
            case RotaryScaling.Dynamic dynamic -> plain(rotary, dynamicTheta(rotary, dynamic, servedLength));
            case RotaryScaling.Llama3 llama3 -> llama3(plain(rotary, rotary.theta()), llama3);
            case RotaryScaling.Yarn yarn -> yarn(rotary, yarn);
            case RotaryScaling.LongRope longRope -> longRope(rotary, longRope, servedLength);
        };
        var rounded = new float[frequencies.length];
        for (int pair = 0; pair < rounded.length; pair++) {
            rounded[pair] = (float) frequencies[pair];
        }
        return rounded;
    }

    private static double[] plain(Rotary rotary, double theta) {
        var frequencies = new double[rotary.pairCount()];
        for (int pair = 0; pair < frequencies.length; pair++) {
            frequencies[pair] = Math.pow(theta, -2.0 * pair / rotary.size());
        }
        return frequencies;
    }

    private static double[] divided(double[] frequencies, double factor) {
        for (int pair = 0; pair < frequencies.length; pair++) {
            frequencies[pair] /= factor;
        }
        return frequencies;
    }

    private static double dynamicTheta(Rotary rotary, RotaryScaling.Dynamic scaling, int servedLength) {
        double length = Math.max(servedLength, scaling.originalLength());
        double growth = scaling.factor() * length / scaling.originalLength() - (scaling.factor() - 1);
        return rotary.theta() * Math.pow(growth, rotary.size() / (rotary.size() - 2.0));
    }

    private static double[] llama3(double[] frequencies, RotaryScaling.Llama3 scaling) {
        double longWave = scaling.originalLength() / scaling.lowFrequencyFactor();
        double shortWave = scaling.originalLength() / scaling.highFrequencyFactor();
        for (int pair = 0; pair < frequencies.length; pair++) {
            double wave = 2 * Math.PI / frequencies[pair];
            if (wave > longWave) {
                frequencies[pair] /= scaling.factor();
            } else if (wave >= shortWave) {
                double kept = (scaling.originalLength() / wave - scaling.lowFrequencyFactor())
                        / (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
                frequencies[pair] *= (1 - kept) / scaling.factor() + kept;
            }
        }
        return frequencies;
    }

    private static double[] yarn(Rotary rotary, RotaryScaling.Yarn scaling) {
        var frequencies = plain(rotary, rotary.theta());
        double low = pairOfRotations(rotary, scaling.originalLength(), scaling.betaFast());
        double high = pairOfRotations(rotary, scaling.originalLength(), scaling.betaSlow());
        if (scaling.truncate()) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, rotary.size() - 1.0);
        double span = low == high ? 0.001 : high - low;
        for (int pair = 0; pair < frequencies.length; pair++) {
            double interpolated = Math.clamp((pair - low) / span, 0.0, 1.0);
            frequencies[pair] *= interpolated / scaling.factor() + (1 - interpolated);
        }
        return frequencies;
    }

    /** The (fractional) pair that turns so many times within a length. */
    private static double pairOfRotations(Rotary rotary, double length, double rotations) {
        return rotary.size() * Math.log(length / (rotations * 2 * Math.PI)) / (2 * Math.log(rotary.theta()));
    }

    private static double[] longRope(Rotary rotary, RotaryScaling.LongRope scaling, int servedLength) {
        List<Double> factors = servedLength > scaling.originalLength() ? scaling.longFactors() : scaling.shortFactors();
        var frequencies = plain(rotary, rotary.theta());
        for (int pair = 0; pair < frequencies.length; pair++) {
            frequencies[pair] /= factors.get(pair);
        }
        return frequencies;
    }
}
