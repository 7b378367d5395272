package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.PAIR;

import dev.kvasir.model.weights.DType;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Products of activations with stored weights by the Vector API. Every element of the result adds along k in the same
 * order whatever the number of rows, so a row's result is the same bits alone, in a batch, or in a chunk of a prompt.
 *
 * <pre>
 * inputs    packed once per call, a block of rows at a time, shared by all threads
 * part      the unit of work of a thread: some outputs, by a span of the block's rows
 * stretch   four weight rows over a length of k, expanded to floats in the first-level cache, where all rows of
 *           the span meet them; accumulators stay there too
 * </pre>
 *
 * For few rows there is no stretch: weights go from memory to registers.
 */
final class Multiply implements WorkerThreads.Parts {
    /** Bounds the packed inputs. */
    private static final int BLOCK_ROWS = 512;

    private static final int SPAN_ROWS = 64;
    private static final int STRETCH = 1024;
    private static final int PART_OUTPUTS = 32;
    private static final int DIRECT_ROWS = 3;

    /** Below so many multiplications another thread costs more than it brings. */
    static final long WORTH_THREADS = 100_000;

    private final WorkerThreads threads;
    private final FloatScratch inputs = new FloatScratch();
    private final FloatScratch[] scratch;
    private final PackInputs packing = new PackInputs();

    private CpuMatrix in = CpuMatrix.NONE;
    private CpuMatrix out = CpuMatrix.NONE;
    private CpuWeight weight = CpuWeight.NONE;
    private @Nullable CpuWeight bias;
    private boolean accumulate;
    private int firstRow;
    private int rows;
    private int width;
    private int spanRows;
    private int partOutputs;
    private int outputParts;

    Multiply(WorkerThreads threads) {
        this.threads = threads;
        scratch = FloatScratch.perThread(threads.count());
    }

    void run(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, @Nullable CpuWeight bias, boolean accumulate) {
        this.in = in;
        this.out = out;
        this.weight = weight;
        this.bias = bias;
        this.accumulate = accumulate;
        width = Memory.padded(in.columns());
        for (int first = 0; first < rows; first += BLOCK_ROWS) {
            block(first, Math.min(BLOCK_ROWS, rows - first));
        }
    }

    private void block(int first, int count) {
        firstRow = first;
        rows = count;
        long work = (long) rows * weight.rows() * weight.columns();
        boolean parallel = work >= WORTH_THREADS;
        inputs.ensure((rows + 1) * width);
        plan();
        int packs = Math.ceilDiv(rows, PackInputs.ROWS);
        int parts = outputParts * Math.ceilDiv(rows, spanRows);
        if (parallel) {
            threads.run(packing, packs);
            threads.run(this, parts);
        } else {
            WorkerThreads.runHere(packing, packs);
            WorkerThreads.runHere(this, parts);
        }
    }

    /** Some parts per thread, so that the last to finish is not far behind. */
    private void plan() {
        int wanted = 4 * threads.count();
        int fours = Math.ceilDiv(weight.rows(), DotTiles.OUTPUTS);
        partOutputs = Math.clamp((long) fours / wanted * DotTiles.OUTPUTS, DotTiles.OUTPUTS, PART_OUTPUTS);
        outputParts = Math.ceilDiv(weight.rows(), partOutputs);
        int spans = Math.max(Math.ceilDiv(rows, SPAN_ROWS), Math.min(rows / 32, wanted / outputParts));
        spanRows = Math.ceilDiv(Math.ceilDiv(rows, Math.max(1, spans)), DotTiles.ROWS) * DotTiles.ROWS;
    }

    /** Puts input rows, a pair of them side by side, where tiles read them. */
    private final class PackInputs implements WorkerThreads.Parts {
        static final int ROWS = 8;

        @Override
        public void run(int part, int thread) {
            int end = Math.min(rows, (part + 1) * ROWS);
            for (int row = part * ROWS; row < end; row++) {
                if (direct()) {
                    pack(row, 0, in.columns(), inputs.start() + row * width, LANES);
                } else {
                    stretches(row);
                }
            }
        }

        private void stretches(int row) {
            for (int k = 0; k < in.columns(); k += STRETCH) {
                int at = inputAt(row / DotTiles.ROWS, k) + row % DotTiles.ROWS * LANES;
                pack(row, k, Math.min(STRETCH, in.columns() - k), at, DotTiles.ROWS * LANES);
            }
        }

        private void pack(int row, int k, int columns, int at, int step) {
            long from = in.row(firstRow + row) + 4L * k;
            Packing.floats(from, columns, Packing.paired(weight.dtype()), inputs.array(), at, step);
        }
    }

    /** Where the packed inputs of a pair of rows for the stretch at k begin: stretch by stretch, pair by pair. */
    private int inputAt(int pair, int k) {
        int evenRows = Math.ceilDiv(rows, DotTiles.ROWS) * DotTiles.ROWS;
        return inputs.start() + evenRows * k + pair * DotTiles.ROWS * Math.min(STRETCH, width - k);
    }

    /** Few rows are done from the stored weights: the first row brings them into the cache for the others. */
    private boolean direct() {
        return rows <= DIRECT_ROWS
                && weight.dtype() != DType.F16
                && weight.columns() % PAIR == 0
                && weight.rows() >= RowTimesMatrix.OUTPUTS;
    }

    @Override
    public void run(int part, int thread) {
        int from = part % outputParts * partOutputs;
        int to = Math.min(from + partOutputs, weight.rows());
        if (direct()) {
            direct(from, to, scratch[thread]);
        } else {
            int span = part / outputParts * spanRows;
            for (int output = from; output < to; output += DotTiles.OUTPUTS) {
                span(output, Math.min(DotTiles.OUTPUTS, to - output), span, Math.min(rows, span + spanRows), thread);
            }
        }
    }

    private void direct(int from, int to, FloatScratch scratch) {
        float[] sums = scratch.ensure(RowTimesMatrix.OUTPUTS * LANES);
        for (int output = from; output < to; output += RowTimesMatrix.OUTPUTS) {
            // The last group starts earlier rather than end later; what it repeats comes out the same.
            int first = Math.min(output, weight.rows() - RowTimesMatrix.OUTPUTS);
            for (int row = 0; row < rows; row++) {
                int x = inputs.start() + row * width;
                RowTimesMatrix.four(weight, inputs.array(), x, first, sums, scratch.start());
                for (int i = output - first; i < RowTimesMatrix.OUTPUTS; i++) {
                    put(firstRow + row, first + i, DotTiles.sum(sums, scratch.start() + i * LANES));
                }
            }
        }
    }

    /** Up to four outputs of rows [from, to). */
    private void span(int output, int count, int from, int to, int thread) {
        int tiles = Math.ceilDiv(to - from, DotTiles.ROWS);
        var scratch = this.scratch[thread];
        float[] array = scratch.ensure(DotTiles.OUTPUTS * STRETCH + tiles * DotTiles.ACCUMULATORS);
        int weights = scratch.start();
        int sums = weights + DotTiles.OUTPUTS * STRETCH;
        Arrays.fill(array, sums, sums + tiles * DotTiles.ACCUMULATORS, 0);
        for (int k = 0; k < width; k += STRETCH) {
            int length = Math.min(STRETCH, width - k);
            int x = inputAt(from / DotTiles.ROWS, k);
            int done = expand(output, count, k, x, array, weights, sums);
            for (int tile = done; tile < tiles; tile++) {
                DotTiles.add(
                        inputs.array(),
                        x + tile * DotTiles.ROWS * length,
                        array,
                        weights,
                        length / LANES,
                        sums + tile * DotTiles.ACCUMULATORS);
            }
        }
        for (int row = from; row < to; row++) {
            put(row, output, count, array, sums + (row - from) * DotTiles.OUTPUTS * LANES);
        }
    }

    /** Expands weights at k; the usual ones along with a first tile, of which it returns how many it computed. */
    private int expand(int output, int count, int k, int x, float[] array, int at, int sums) {
        int columns = Math.min(STRETCH, weight.columns() - k);
        if (weight.dtype() == DType.BF16 && count == DotTiles.OUTPUTS && columns % PAIR == 0) {
            long from = weight.row(output) + 2L * k;
            ExpandingTile.add(inputs.array(), x, from, weight.rowBytes(), columns / PAIR, array, at, sums);
            return 1;
        }
        for (int i = 0; i < count; i++) {
            long from = weight.row(output + i) + (long) k * weight.dtype().bytes();
            Packing.stored(weight.dtype(), from, columns, array, at + i * LANES, DotTiles.OUTPUTS * LANES);
        }
        return 0;
    }

    /** Some outputs of a row from their accumulators. */
    private void put(int row, int output, int count, float[] sums, int at) {
        if (bias != null || accumulate) {
            for (int i = 0; i < count; i++) {
                put(firstRow + row, output + i, DotTiles.sum(sums, at + i * LANES));
            }
            return;
        }
        long to = out.row(firstRow + row) + 4L * output;
        for (int i = 0; i < count; i++) {
            Memory.set(to + 4L * i, DotTiles.sum(sums, at + i * LANES));
        }
    }

    private void put(int row, int output, float sum) {
        var bias = this.bias;
        float value = bias == null ? sum : sum + Memory.get(bias.address() + 4L * output);
        long at = out.row(row) + 4L * output;
        Memory.set(at, accumulate ? Memory.get(at) + value : value);
    }
}
