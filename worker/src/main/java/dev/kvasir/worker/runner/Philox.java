package dev.kvasir.worker.runner;

/**
 * Philox4x32-10, a counter-based random number generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). It has no state: the same key and counter give the same numbers wherever, whenever and in whatever order
 * they are asked for, which is what lets a moved sequence go on with the very tokens it would have had.
 */
final class Philox {
    private static final int ROUNDS = 10;
    private static final int MULTIPLIER_0 = 0xD2511F53;
    private static final int MULTIPLIER_1 = 0xCD9E8D57;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final double TWO_TO_MINUS_53 = 0x1.0p-53;

    private Philox() {}

    /** Replaces the four words of {@code counter} by the random block they name under a key of two words. */
    static void block(int[] counter, int key0, int key1) {
        int c0 = counter[0];
        int c1 = counter[1];
        int c2 = counter[2];
        int c3 = counter[3];
        int k0 = key0;
        int k1 = key1;
        for (int round = 0; round < ROUNDS; round++) {
            long product0 = Integer.toUnsignedLong(MULTIPLIER_0) * Integer.toUnsignedLong(c0);
            long product1 = Integer.toUnsignedLong(MULTIPLIER_1) * Integer.toUnsignedLong(c2);
            c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
            c1 = (int) product1;
            c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
            c3 = (int) product0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        counter[0] = c0;
        counter[1] = c1;
        counter[2] = c2;
        counter[3] = c3;
    }

    /**
     * The number in [0, 1) that chooses the token at {@code position} of output {@code outputIndex}: 53 bits of the block
     * with the seed as key and (position, outputIndex, 0, 0) as counter.
     *
     * @param scratch four words, overwritten
     */
    static double uniform(long seed, int outputIndex, int position, int[] scratch) {
        scratch[0] = position;
        scratch[1] = outputIndex;
        scratch[2] = 0;
        scratch[3] = 0;
        block(scratch, (int) seed, (int) (seed >>> 32));
        long bits = Integer.toUnsignedLong(scratch[0]) << 32 | Integer.toUnsignedLong(scratch[1]);
        return (bits >>> 11) * TWO_TO_MINUS_53;
    }
}
