package dev.kvasir.chaos.simulation;

import java.util.random.RandomGenerator;

/**
 * Size of a cluster and of its workers. Small, so that every bound is met often.
 *
 * @param stepNanos time of an engine step, without its tokens
 * @param tokenNanos and for each token in it
 */
record Geometry(
        int routers,
        int workers,
        int blockSize,
        int blocks,
        int sequencesMax,
        int tokensMax,
        int waitingMax,
        int lengthMax,
        boolean prefixCaching,
        long stepNanos,
        long tokenNanos) {

    static Geometry random(RandomGenerator random, int lengthMax) {
        int blockSize = random.nextInt(2, 9);
        int sequencesMax = random.nextInt(3, 9);
        return new Geometry(
                random.nextInt(1, 4),
                random.nextInt(2, 5),
                blockSize,
                Math.ceilDiv(lengthMax, blockSize) * random.nextInt(1, 4) + random.nextInt(1, 8),
                sequencesMax,
                sequencesMax + random.nextInt(4, 32),
                random.nextInt(12, 40),
                lengthMax,
                random.nextInt(8) != 0,
                random.nextLong(5, 60) * Timeline.MILLI,
                random.nextLong(50, 1000) * 1000);
    }
}
