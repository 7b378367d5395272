package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;
import static dev.kvasir.worker.kernel.cpu.PanelTiles.PANEL_BYTES;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.PreparationProgress;
import java.lang.foreign.Arena;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Copies of bf16 weights, as large as they are, in the order that {@link PanelMultiply} reads: panels of two vectors of
 * outputs, each contiguous, padded with zeros. Made on first use, on all threads.
 *
 * <pre>
 * panel  [k][lane], 32 bits each: the low half is the weight of output {@code lane}, the high half that of {@code LANES + lane}
 * </pre>
 *
 * They are {@code bytesMax} bytes at most, and what does not fit any more stays as it is stored. Whether a weight is packed
 * follows from the bound and from the order of first use, and never changes: results of both forms differ in the last bits.
 * Stored weights that were packed are not read again, so the operating system may drop the pages of their file.
 */
final class PackedPanels implements WorkerThreads.Parts, AutoCloseable {
    /** Columns that are packed together, so that what they are written to stays in the first-level cache. */
    private static final int BAND = 256;

    private final WorkerThreads threads;
    private final Arena arena = Arena.ofShared();
    private final IdentityHashMap<CpuWeight, Panels> packed = new IdentityHashMap<>();
    private long bytesLeft;
    private PreparationProgress progress = PreparationProgress.NONE;
    private int progressTotal;

    private CpuWeight weight = CpuWeight.NONE;
    private Panels panels = new Panels(0, 0, 0);

    /**
     * A packed weight.
     *
     * @param stride bytes from one panel to the next
     */
    record Panels(long address, int count, long stride) {
        long address(int panel) {
            return address + panel * stride;
        }
    }

    PackedPanels(WorkerThreads threads, long bytesMax) {
        this.threads = threads;
        bytesLeft = bytesMax;
    }

    /** Whether weights of this shape are packed while there is room. */
    static boolean takes(DType dtype, int rows) {
        return dtype == DType.BF16 && rows >= PAIR;
    }

    /** Tells from now on how many weights are packed. */
    void report(PreparationProgress progress, int total) {
        this.progress = progress;
        progressTotal = total;
    }

    /** Null where a weight is not packed. */
    @Nullable
    Panels of(CpuWeight weight) {
        var known = packed.get(weight);
        return known != null || !takes(weight.dtype(), weight.rows()) ? known : pack(weight);
    }

    private @Nullable Panels pack(CpuWeight weight) {
        int count = Math.ceilDiv(weight.rows(), PAIR);
        long stride = (long) PANEL_BYTES * weight.columns();
        long bytes = count * stride;
        if (bytes > bytesLeft) {
            return null;
        }
        bytesLeft -= bytes;
        this.weight = weight;
        panels = new Panels(arena.allocate(bytes, 64).address(), count, stride);
        threads.run(this, count);
        packed.put(weight, panels);
        progress.prepared(Math.min(packed.size(), progressTotal), progressTotal);
        return panels;
    }

    @Override
    public void run(int panel, int thread) {
        long to = panels.address(panel);
        int first = panel * PAIR;
        if (first + PAIR > weight.rows()) {
            last(to, first);
            return;
        }
        for (int k = 0; k < weight.columns(); k += BAND) {
            int columns = Math.min(BAND, weight.columns() - k);
            for (int lane = 0; lane < LANES; lane++) {
                long low = weight.row(first + lane) + 2L * k;
                long high = weight.row(first + lane + LANES) + 2L * k;
                merge(low, high, columns, to + (long) PANEL_BYTES * k + 4L * lane);
            }
        }
    }

    /** Two rows into the halves of one lane. */
    private static void merge(long low, long high, int columns, long to) {
        for (int k = 0; k + 1 < columns; k += 2) {
            int lows = Memory.getInt(low + 2L * k);
            int highs = Memory.getInt(high + 2L * k);
            Memory.setInt(to + (long) PANEL_BYTES * k, (lows & 0xffff) | highs << 16);
            Memory.setInt(to + (long) PANEL_BYTES * (k + 1), lows >>> 16 | (highs & 0xffff_0000));
        }
        if (columns % 2 != 0) {
            long end = 2L * (columns - 1);
            int both = (Memory.getShort(low + end) & 0xffff) | Memory.getShort(high + end) << 16;
            Memory.setInt(to + (long) PANEL_BYTES * (columns - 1), both);
        }
    }

    /** A panel that outputs do not fill; its memory is zero. */
    private void last(long to, int first) {
        for (int output = first; output < weight.rows(); output++) {
            int place = output - first;
            long at = to + 4L * (place % LANES) + 2L * (place / LANES);
            for (int k = 0; k < weight.columns(); k++) {
                Memory.setShort(at + (long) PANEL_BYTES * k, Memory.getShort(weight.row(output) + 2L * k));
            }
        }
    }

    @Override
    public void close() {
        packed.clear();
        arena.close();
    }
}
