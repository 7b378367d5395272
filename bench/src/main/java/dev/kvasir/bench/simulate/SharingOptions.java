package dev.kvasir.bench.simulate;

import java.util.List;
import picocli.CommandLine.Option;

/** Flags for where blocks are kept, and how they move. */
final class SharingOptions {
    @Option(
            names = "--store-share",
            paramLabel = "PERCENT,...",
            split = ",",
            hideParamSyntax = true,
            defaultValue = "0",
            description =
                    "Share of the cache that is a kvstore's, which keeps what workers let go of and lets all of them pull it;"
                            + " the rest is the workers', in equal parts (default: ${DEFAULT-VALUE}).")
    private List<Double> storeShares;

    @Option(
            names = "--store-added",
            paramLabel = "PERCENT",
            defaultValue = "0",
            description = "What kvstores have beyond the cache, in percent of the trace's different blocks (default:"
                    + " ${DEFAULT-VALUE}).")
    private double storeAdded;

    @Option(
            names = "--host-share",
            paramLabel = "PERCENT",
            defaultValue = "0",
            description = "Share of the cache that is in the workers' host memory (default: ${DEFAULT-VALUE}).")
    private double hostShare;

    @Option(
            names = "--kv-bytes",
            paramLabel = "N",
            defaultValue = "131072",
            description =
                    "KV of one token (default: ${DEFAULT-VALUE}, an 8B model of 32 layers with 8 KV heads in bf16).")
    private double tokenBytes;

    @Option(
            names = "--pull-bandwidth",
            paramLabel = "MB/S",
            defaultValue = "12500",
            description =
                    "Of each member's network, in each direction; 0: nothing is pulled (default: ${DEFAULT-VALUE}).")
    private double pullMegabytesPerSecond;

    @Option(
            names = "--workers-per-store",
            paramLabel = "N",
            defaultValue = "8",
            description =
                    "So many workers share the network of one kvstore; blocks are spread evenly over kvstores (default:"
                            + " ${DEFAULT-VALUE}).")
    private int workersPerStore;

    @Option(
            names = "--pull-latency",
            paramLabel = "MS",
            defaultValue = "3",
            description = "From asking for blocks until the first bytes (default: ${DEFAULT-VALUE}).")
    private double pullLatencyMillis;

    @Option(
            names = "--host-bandwidth",
            paramLabel = "MB/S",
            defaultValue = "20000",
            description = "From host memory to the device (default: ${DEFAULT-VALUE}).")
    private double hostMegabytesPerSecond;

    Network network() {
        return new Network(
                tokenBytes,
                pullMegabytesPerSecond * 1e6,
                workersPerStore,
                pullLatencyMillis / 1e3,
                hostMegabytesPerSecond * 1e6);
    }

    /** Percentages of the kvstore, checked. */
    List<Double> storeShares() {
        if (!(storeAdded >= 0 && storeAdded <= 1000)) {
            throw new IllegalArgumentException(
                    "--store-added is %s but must be in 0..1000".formatted(Report.number(storeAdded)));
        }
        for (double share : storeShares) {
            if (!(share >= 0 && hostShare >= 0 && share + hostShare < 100)) {
                throw new IllegalArgumentException(
                        "--store-share %s and --host-share %s must be 0 or more, and less than 100"
                                        .formatted(Report.number(share), Report.number(hostShare))
                                + " together");
            }
        }
        return storeShares;
    }

    /** Of kvstores, beyond the cache. */
    int addedBlocks(int uniqueBlocks) {
        return (int) (uniqueBlocks * storeAdded / 100);
    }

    Capacity capacity(int blocks, int workers, double storeShare, int uniqueBlocks) {
        var divided = Capacity.of(blocks, workers, hostShare, storeShare);
        return new Capacity(
                divided.deviceBlocks(),
                divided.hostBlocks(),
                Math.addExact(divided.storeBlocks(), addedBlocks(uniqueBlocks)));
    }
}
