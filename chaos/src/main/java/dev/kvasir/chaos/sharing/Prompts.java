package dev.kvasir.chaos.sharing;

import java.util.SplittableRandom;

/** Prompts of random tokens: no two begin alike. */
final class Prompts {
    private static final int TOKEN_MIN = 300;
    private static final int TOKEN_MAX = 1000;

    private final SplittableRandom random;

    Prompts(long seed) {
        random = new SplittableRandom(seed);
    }

    int[] fresh(int length) {
        return random.ints(length, TOKEN_MIN, TOKEN_MAX).toArray();
    }
}
