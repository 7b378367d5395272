package dev.kvasir.worker.device;

/**
 * Thread blocks of a launch.
 *
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 */
public record Grid(int x, int y, int z, int threads, int sharedBytes) {
    public static Grid of(int x, int threads) {
        return new Grid(x, 1, 1, threads, 0);
    }

    public static Grid of(int x, int y, int threads) {
        return new Grid(x, y, 1, threads, 0);
    }

    public static Grid of(int x, int y, int z, int threads) {
        return new Grid(x, y, z, threads, 0);
    }

    public Grid withShared(int bytes) {
        return new Grid(x, y, z, threads, bytes);
    }
}
