package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import java.util.random.RandomGenerator;

/**
 * Size of a cluster and of its workers. Small, so that every bound is met often.
 *
 * @param shards of the prefix index
 * @param indexBlocks block-holder pairs that a shard may know
 * @param replicaBlocks blocks of each shard that a router may know
 * @param hostBlocks copies in a worker's host memory; 0 for none, and no exchange with others
 * @param storeBlocks in a kvstore's memory; 0 for none
 * @param storeDiskBlocks on a kvstore's disk; 0 for none
 * @param offersAll whether kvstores are offered every block, and not those alone that are copied
 * @param stepNanos time of an engine step, without its tokens
 * @param tokenNanos and for each token in it
 */
record Geometry(
        int routers,
        int workers,
        int kvstores,
        int shards,
        int indexBlocks,
        int replicaBlocks,
        int hostBlocks,
        int storeBlocks,
        int storeDiskBlocks,
        boolean offersAll,
        int blockSize,
        int blocks,
        int sequencesMax,
        int tokensMax,
        int waitingMax,
        int lengthMax,
        boolean prefixCaching,
        long stepNanos,
        long tokenNanos) {
    private static final int ALIGNED = 64;

    /** Of blocks in host memory. */
    BlockFormat format() {
        return new BlockFormat(StandInModel.KV_ORIGIN, StandInModel.KV_DTYPE, blockSize, 1, blockSize * Long.BYTES);
    }

    /** Host memory for so many blocks. */
    MemoryTier tier(int blocks) {
        return new MemoryTier(format(), tierBytes(blocks));
    }

    /** What so many blocks need of it. */
    long tierBytes(int blocks) {
        return (long) blocks * Math.ceilDiv(blockSize * Long.BYTES, ALIGNED) * ALIGNED;
    }

    /** @param ofDisks draws what disks have */
    static Geometry random(RandomGenerator random, RandomGenerator ofDisks, int lengthMax) {
        int blockSize = random.nextInt(2, 9);
        int sequencesMax = random.nextInt(3, 9);
        int kvstores = random.nextInt(1, 4);
        boolean cramped = random.nextInt(6) == 0;
        return new Geometry(
                random.nextInt(1, 4),
                random.nextInt(2, 5),
                kvstores,
                random.nextInt(1, 4),
                cramped ? random.nextInt(4, 40) : 4096,
                cramped ? random.nextInt(8, 60) : 4096,
                random.nextInt(4) == 0 ? 0 : random.nextInt(4, 60),
                random.nextInt(4) == 0 ? 0 : random.nextInt(4, 80),
                ofDisks.nextInt(3) == 0 ? 0 : ofDisks.nextInt(4, 40),
                random.nextBoolean(),
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
