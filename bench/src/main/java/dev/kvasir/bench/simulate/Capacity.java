package dev.kvasir.bench.simulate;

/**
 * Where blocks are kept: the same number of them in all, however it is divided.
 *
 * @param deviceBlocks of each worker
 * @param hostBlocks of each worker, in host memory: what its device let go of
 * @param storeBlocks of the kvstore: what workers let go of
 */
record Capacity(int deviceBlocks, int hostBlocks, int storeBlocks) {
    /** Everything on the workers' devices. */
    static Capacity onDevices(int blocksPerWorker) {
        return new Capacity(blocksPerWorker, 0, 0);
    }

    /** Divides {@code blocks}; each worker's device gets one at least. */
    static Capacity of(int blocks, int workers, double hostPercent, double storePercent) {
        int store = (int) Math.min(blocks * storePercent / 100, blocks - workers);
        int host = (int) (blocks * hostPercent / 100 / workers);
        return new Capacity(Math.max(1, (blocks - store) / workers - host), host, store);
    }
}
