package dev.kvasir.worker.device;

/**
 * What a GPU is.
 *
 * @param computeCapability major times ten plus minor
 * @param driverVersion highest CUDA version that the driver speaks, such as 13000
 * @param sharedBytesMax most shared memory of a thread block, where it is asked for
 */
public record GpuInfo(
        int ordinal,
        String name,
        int computeCapability,
        int driverVersion,
        int multiprocessors,
        long totalBytes,
        int sharedBytesMax) {

    /** Older ones lack the matrix instructions for bf16. */
    public static final int COMPUTE_CAPABILITY_MIN = 80;

    public String capability() {
        return computeCapability / 10 + "." + computeCapability % 10;
    }

    public String driver() {
        return driverVersion / 1000 + "." + driverVersion % 1000 / 10;
    }
}
