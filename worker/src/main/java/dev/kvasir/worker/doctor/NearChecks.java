package dev.kvasir.worker.doctor;

import dev.kvasir.kvstore.transfer.NearMemory;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.NearKv;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * KV blocks read by one process from another one's GPU memory: whether they come as they were, whether they go where they should
 * and nowhere else, and how fast. That memory cannot be opened, as in containers apart from each other, is no failure: blocks go
 * through host memory then.
 */
final class NearChecks {
    private static final long SEED = 9;
    /** Blocks that the host reads, too. */
    private static final int COMPARED = 6;

    private static final int REPEATS = 9;

    private final GpuInfo reader;
    private final GpuInfo source;
    private final CudaOptions options;
    private final Report report;

    NearChecks(GpuInfo reader, GpuInfo source, CudaOptions options, Report report) {
        this.reader = reader;
        this.source = source;
        this.options = options;
        this.report = report;
    }

    void run() {
        report.section(
                reader.ordinal() == source.ordinal()
                        ? "KV blocks from process to process, one GPU"
                        : "KV blocks from process to process, GPU %d to GPU %d"
                                .formatted(source.ordinal(), reader.ordinal()));
        try (var other = NearSource.start(source.ordinal(), options)) {
            var first = other.next();
            try (var pools = new NearPools(reader, options, SEED)) {
                pool(pools.get(0), NearPools.LAYOUTS.getFirst(), first);
                pool(pools.get(1), NearPools.LAYOUTS.get(1), other.next());
            }
        } catch (IOException | RuntimeException e) {
            report.bad("blocks from process to process", String.valueOf(e));
        }
    }

    private void pool(NearPools.Pool own, KvLayout layout, NearSource.Said said) {
        var name = "blocks of %s, %d bytes".formatted(layout.format(), layout.bytesPerBlock());
        var plain = own.plainChecksums(COMPARED);
        verdict("checksums, " + name, Arrays.equals(own.near().checksums(range(COMPARED)), plain), "plain Java's");
        NearKv.Window window;
        try {
            window = own.near()
                    .open(new NearMemory(
                            said.handle(),
                            said.offset(),
                            said.layerBytes(),
                            layout.bytesPerLayerBlock(),
                            layout.layerCount(),
                            NearPools.BLOCKS));
        } catch (RuntimeException e) {
            report.note(name, "go through host memory: " + e.getMessage());
            return;
        }
        try (window) {
            copies(own, said.checksums(), window, name);
            times(layout, window);
        }
    }

    private static int[] range(int count) {
        return IntStream.range(0, count).toArray();
    }

    /** Into the later half first, in another order, which leaves the earlier one as it was. */
    private void copies(NearPools.Pool own, long[] theirs, NearKv.Window window, String name) {
        var before = own.plainChecksums(COMPARED);
        int half = NearPools.BLOCKS / 2;
        int[] from = IntStream.range(0, half).map(i -> i * 7 % NearPools.BLOCKS).toArray();
        int[] to = IntStream.range(0, half).map(i -> NearPools.BLOCKS - 1 - i).toArray();
        long[] wanted = Arrays.stream(from).mapToLong(i -> theirs[i]).toArray();
        boolean right = Arrays.equals(window.pull(from, to), wanted);
        right &= Arrays.equals(own.plainChecksums(COMPARED), before);
        right &= Arrays.equals(window.pull(range(COMPARED), range(COMPARED)), Arrays.copyOf(theirs, COMPARED));
        right &= Arrays.equals(own.plainChecksums(COMPARED), Arrays.copyOf(theirs, COMPARED));
        verdict("copies, " + name, right, "come as they were, and go nowhere else");
    }

    private void verdict(String what, boolean right, String claim) {
        if (right) {
            report.good(what, claim);
        } else {
            report.bad(what, "not " + claim);
        }
    }

    private void times(KvLayout layout, NearKv.Window window) {
        int[] blocks = range(NearPools.BLOCKS);
        var seconds = new double[REPEATS];
        for (int i = 0; i < REPEATS; i++) {
            long begin = System.nanoTime();
            window.pull(blocks, blocks);
            seconds[i] = (System.nanoTime() - begin) * 1e-9;
        }
        Arrays.sort(seconds);
        double median = seconds[REPEATS / 2];
        report.note(
                "%d blocks, checksums included".formatted(NearPools.BLOCKS),
                String.format(
                        Locale.ROOT,
                        "%8.0f GB/s, %.2f ms",
                        NearPools.BLOCKS * layout.bytesPerBlock() / median * 1e-9,
                        1e3 * median));
    }
}
