package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;
import static dev.kvasir.worker.kernel.cpu.PanelTiles.PANEL_BYTES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * Products of activations with packed weights by the Vector API. As in {@link Multiply}, a row's result is the same bits
 * alone, in a batch, or in a chunk of a prompt.
 *
 * <pre>
 * inputs    packed once per call, a block of rows at a time, shared by all threads: fives of rows side by side, then the
 *           rows that are left, stretch by stretch
 * part      the unit of work of a thread: four panels (or one, where there are few), by a span of the block's rows
 * stretch   a length of k. Single rows go first: they bring it into the cache for the fives
 * </pre>
 */
final class PanelMultiply implements WorkerThreads.Parts {
    /** Bounds the packed inputs. */
    private static final int BLOCK_ROWS = 512;

    private static final int SPAN_FIVES = 13;
    private static final int STRETCH = 512;

    /** Four rows one by one take longer than a five that is computed in part in vain. */
    private static final int SINGLES_MAX = 3;

    private final WorkerThreads threads;
    private final FloatScratch inputs = new FloatScratch();
    private final FloatScratch[] scratch;
    private final PackInputs packing = new PackInputs();

    private CpuMatrix in = CpuMatrix.NONE;
    private CpuMatrix out = CpuMatrix.NONE;
    private PackedPanels.Panels panels = new PackedPanels.Panels(0, 0, 0);
    private @Nullable CpuWeight bias;
    private boolean accumulate;
    private int outputs;
    private int columns;
    private int firstRow;
    private int rows;
    private int fives;
    private int singles;
    private int spanFives;
    private int spans;
    private int partPanels;
    private int panelParts;

    PanelMultiply(WorkerThreads threads) {
        this.threads = threads;
        scratch = FloatScratch.perThread(threads.count());
    }

    void run(
            CpuMatrix out,
            CpuMatrix in,
            int rows,
            PackedPanels.Panels panels,
            @Nullable CpuWeight bias,
            boolean accumulate) {
        this.in = in;
        this.out = out;
        this.panels = panels;
        this.bias = bias;
        this.accumulate = accumulate;
        outputs = out.columns();
        columns = in.columns();
        for (int first = 0; first < rows; first += BLOCK_ROWS) {
            block(first, Math.min(BLOCK_ROWS, rows - first));
        }
    }

    private void block(int first, int count) {
        firstRow = first;
        rows = count;
        plan();
        inputs.ensure(packedRows() * columns);
        int packs = fives + Math.min(1, singles);
        int parts = panelParts * spans;
        if ((long) rows * outputs * columns >= Multiply.WORTH_THREADS) {
            threads.run(packing, packs);
            threads.run(this, parts);
        } else {
            WorkerThreads.runHere(packing, packs);
            WorkerThreads.runHere(this, parts);
        }
    }

    private void plan() {
        boolean together = panels.count() >= PanelTiles.PANELS * threads.count();
        partPanels = together ? PanelTiles.PANELS : 1;
        panelParts = Math.ceilDiv(panels.count(), partPanels);
        int left = rows % PanelTiles.ROWS;
        singles = together && left <= SINGLES_MAX ? left : 0;
        fives = Math.ceilDiv(rows - singles, PanelTiles.ROWS);
        // Some parts per thread, so that the last to finish is not far behind.
        int wanted = Math.max(Math.ceilDiv(fives, SPAN_FIVES), Math.min(rows / 32, 4 * threads.count() / panelParts));
        spanFives = Math.max(1, Math.ceilDiv(fives, Math.max(1, wanted)));
        spans = Math.max(1, Math.ceilDiv(fives, spanFives));
    }

    private int packedRows() {
        return fives * PanelTiles.ROWS + singles;
    }

    /** Puts inputs where tiles read them. */
    private final class PackInputs implements WorkerThreads.Parts {
        @Override
        public void run(int part, int thread) {
            for (int k = 0; k < columns; k += STRETCH) {
                int steps = Math.min(STRETCH, columns - k);
                if (part < fives) {
                    sideBySide(part * PanelTiles.ROWS, k, steps, inputAt(part * PanelTiles.ROWS, k));
                    continue;
                }
                for (int row = fives * PanelTiles.ROWS; row < rows; row++) {
                    Memory.copy(address(row, k), inputs.array(), inputAt(row, k), steps);
                }
            }
        }

        /** What is computed for rows behind the last is not used. */
        private long address(int row, int k) {
            return in.row(firstRow + Math.min(row, rows - 1)) + 4L * k;
        }

        private void sideBySide(int row, int k, int steps, int at) {
            float[] to = inputs.array();
            long a = address(row, k);
            long b = address(row + 1, k);
            long c = address(row + 2, k);
            long d = address(row + 3, k);
            long e = address(row + 4, k);
            for (int i = 0; i < steps; i++) {
                int p = at + i * PanelTiles.ROWS;
                to[p] = Memory.get(a + 4L * i);
                to[p + 1] = Memory.get(b + 4L * i);
                to[p + 2] = Memory.get(c + 4L * i);
                to[p + 3] = Memory.get(d + 4L * i);
                to[p + 4] = Memory.get(e + 4L * i);
            }
        }
    }

    /** Where the packed inputs of a single row, or of the five that it is the first of, begin for the stretch at k. */
    private int inputAt(int row, int k) {
        return inputs.start() + packedRows() * k + row * Math.min(STRETCH, columns - k);
    }

    @Override
    public void run(int part, int thread) {
        int panel = part % panelParts * partPanels;
        // The last panels start earlier rather than end later; what they repeat comes out the same.
        int first = Math.min(panel, panels.count() - partPanels);
        int span = part / panelParts;
        int from = span * spanFives * PanelTiles.ROWS;
        int to = span == spans - 1 ? packedRows() : from + spanFives * PanelTiles.ROWS;
        float[] sums = scratch[thread].ensure((to - from) * PanelTiles.ROW);
        int at = scratch[thread].start();
        Arrays.fill(sums, at, at + (to - from) * PanelTiles.ROW, 0);
        for (int k = 0; k < columns; k += STRETCH) {
            stretch(first, from, to, k, sums, at);
        }
        for (int row = from; row < Math.min(to, rows); row++) {
            for (int i = panel - first; i < partPanels; i++) {
                put(row, first + i, sums, at + (row - from) * PanelTiles.ROW + i * PAIR);
            }
        }
    }

    /** Some panels by rows [from, to), which begin with fives. */
    private void stretch(int panel, int from, int to, int k, float[] sums, int at) {
        float[] x = inputs.array();
        int steps = Math.min(STRETCH, columns - k);
        long weights = panels.address(panel) + (long) PANEL_BYTES * k;
        int endOfFives = Math.min(to, fives * PanelTiles.ROWS);
        for (int row = endOfFives; row < to; row++) {
            int sum = at + (row - from) * PanelTiles.ROW;
            PanelTiles.row(x, inputAt(row, k), weights, panels.stride(), steps, sums, sum);
        }
        for (int i = 0; i < partPanels; i++) {
            for (int row = from; row < endOfFives; row += PanelTiles.ROWS) {
                int sum = at + (row - from) * PanelTiles.ROW + i * PAIR;
                PanelTiles.five(x, inputAt(row, k), weights + i * panels.stride(), steps, sums, sum);
            }
        }
    }

    /** The outputs of a panel for one row. */
    private void put(int row, int panel, float[] sums, int at) {
        int first = panel * PAIR;
        long to = out.row(firstRow + row) + 4L * first;
        long from = bias == null ? 0 : bias.address() + 4L * first;
        if (first + PAIR > outputs) {
            last(outputs - first, sums, at, from, to);
            return;
        }
        if (bias != null) {
            add(from, sums, at);
        }
        if (accumulate) {
            add(to, sums, at);
        }
        for (int i = 0; i < PAIR; i += LANES) {
            Memory.store(to + 4L * i, FloatVector.fromArray(FLOATS, sums, at + i));
        }
    }

    private static void add(long from, float[] sums, int at) {
        for (int i = 0; i < PAIR; i += LANES) {
            FloatVector.fromArray(FLOATS, sums, at + i)
                    .add(Memory.load(from + 4L * i))
                    .intoArray(sums, at + i);
        }
    }

    /** Of a panel that outputs do not fill. */
    private void last(int count, float[] sums, int at, long bias, long to) {
        for (int i = 0; i < count; i++) {
            float value = bias == 0 ? sums[at + i] : sums[at + i] + Memory.get(bias + 4L * i);
            Memory.set(to + 4L * i, accumulate ? value + Memory.get(to + 4L * i) : value);
        }
    }
}
