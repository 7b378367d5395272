package dev.kvasir.chaos.simulation;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Random numbers of one seed, one source for each purpose: leaving out a fault does not change the requests, nor the
 * network's luck before it.
 */
final class Randoms {
    private Randoms() {}

    static RandomGenerator of(long seed, String purpose) {
        return new SplittableRandom(StandInModel.mix(seed, purpose.hashCode()));
    }

    static boolean chance(RandomGenerator random, double probability) {
        return probability > 0 && random.nextDouble() < probability;
    }
}
