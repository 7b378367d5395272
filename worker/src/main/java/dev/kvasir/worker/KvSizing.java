package dev.kvasir.worker;

/** Decides how many KV blocks a worker has, before any is allocated. */
final class KvSizing {
    /** For small things that are made after the blocks. */
    private static final long DEVICE_RESERVE_BYTES = 32L << 20;

    private KvSizing() {}

    /**
     * The number of blocks.
     *
     * @param bytesPerBlock of keys and values over all layers
     * @param servedLength most tokens of one sequence, which must fit
     * @param availableBytes memory that nobody uses yet
     * @throws IllegalArgumentException naming all numbers, where they cannot fit
     */
    static int blocks(WorkerConfig config, long bytesPerBlock, int servedLength, long availableBytes) {
        int needed = Math.ceilDiv(servedLength, config.blockSize());
        if (config.kvBlocks() > 0) {
            return asked(config, bytesPerBlock, needed, availableBytes);
        }
        long budget = Math.min((long) (availableBytes * config.kvMemoryFraction()), config.kvMemoryMax());
        // More than all seats at full length would never be used, but for prefixes: keep as many again for those.
        long useful = 2L * needed * config.sequencesMax();
        long blocks = Math.min(budget / bytesPerBlock, useful);
        if (blocks < needed) {
            throw new IllegalArgumentException(
                    ("kvasir.worker.max-model-len is %d, whose KV cache needs %d blocks of %d bytes (%s), but only %s may be"
                                    + " used: %s of memory are available, kv-memory-fraction is %s, kv-memory-max %s")
                            .formatted(
                                    servedLength,
                                    needed,
                                    bytesPerBlock,
                                    mebibytes(needed * bytesPerBlock),
                                    mebibytes(budget),
                                    mebibytes(availableBytes),
                                    config.kvMemoryFraction(),
                                    mebibytes(config.kvMemoryMax())));
        }
        return (int) Math.min(blocks, Integer.MAX_VALUE);
    }

    /**
     * The number of blocks on a device whose other memory is taken already.
     *
     * @param freeBytes of the device's memory that this worker may use
     */
    static int deviceBlocks(WorkerConfig config, long bytesPerBlock, int servedLength, long freeBytes) {
        int needed = Math.ceilDiv(servedLength, config.blockSize());
        // One block more than there are takes what rows without a sequence write.
        long usable = Math.max(0, freeBytes - DEVICE_RESERVE_BYTES - bytesPerBlock);
        if (config.kvBlocks() > 0) {
            return asked(config, bytesPerBlock, needed, usable);
        }
        long blocks = usable / bytesPerBlock;
        if (blocks < needed) {
            throw new IllegalArgumentException(
                    ("kvasir.worker.max-model-len is %d, whose KV cache needs %d blocks of %d bytes (%s), but only %s of GPU"
                                    + " memory are left by weights and activations; gpu-memory-utilization is %s")
                            .formatted(
                                    servedLength,
                                    needed,
                                    bytesPerBlock,
                                    mebibytes(needed * bytesPerBlock),
                                    mebibytes(usable),
                                    config.gpuMemoryUtilization()));
        }
        return (int) Math.min(blocks, Integer.MAX_VALUE - 1);
    }

    private static int asked(WorkerConfig config, long bytesPerBlock, int needed, long availableBytes) {
        if (config.kvBlocks() < needed) {
            throw WorkerConfig.refusal(
                    "num-kv-blocks", config.kvBlocks(), "at least " + needed + " for one sequence of max-model-len");
        }
        long bytes = Math.multiplyExact(bytesPerBlock, config.kvBlocks());
        if (bytes > availableBytes) {
            throw WorkerConfig.refusal(
                    "num-kv-blocks",
                    config.kvBlocks() + " (" + mebibytes(bytes) + ")",
                    "at most " + availableBytes / bytesPerBlock + ": " + mebibytes(availableBytes)
                            + " of memory are available");
        }
        return config.kvBlocks();
    }

    static String mebibytes(long bytes) {
        return "%.1f MiB".formatted(bytes / (1024.0 * 1024.0));
    }
}
