package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.StoredFloats;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Products with bf16 weights by oneDNN, for processors that multiply bf16: inputs are rounded to bf16, sums are f32. Each
 * part is some outputs of all rows, one oneDNN call on the thread that claimed it.
 *
 * <p>A shape of product is compiled on first use, so row counts are rounded up and the rest of the rows are computed in
 * vain; as many shapes as {@code PRODUCTS_MAX} are kept.
 */
final class OnednnMultiply implements WorkerThreads.Parts, AutoCloseable {
    /** It puts weights into another order on each call, which fewer rows do not pay for (docs/performance.md). */
    static final int ROWS_MIN = 12;

    private static final int BLOCK_ROWS = 512;
    private static final int PRODUCTS_MAX = 1024;

    private final Onednn onednn;
    private final WorkerThreads threads;
    private final MemorySegment[] streams;
    private final NativeScratch inputs = new NativeScratch();
    private final NativeScratch[] results;
    private final RoundInputs rounding = new RoundInputs();

    /** Open addressing; 0 is a free place. */
    private final long[] keys = new long[2 * PRODUCTS_MAX];

    private final @Nullable OnednnProduct[] products = new @Nullable OnednnProduct[2 * PRODUCTS_MAX];
    private int productCount;

    private CpuMatrix in = CpuMatrix.NONE;
    private CpuMatrix out = CpuMatrix.NONE;
    private CpuWeight weight = CpuWeight.NONE;
    private @Nullable CpuWeight bias;
    private boolean accumulate;
    private int firstRow;
    private int rows;
    private int paddedRows;
    private int partOutputs;
    private @Nullable OnednnProduct whole;
    private @Nullable OnednnProduct last;

    OnednnMultiply(Onednn onednn, WorkerThreads threads) {
        this.onednn = onednn;
        this.threads = threads;
        streams = new MemorySegment[threads.count()];
        results = new NativeScratch[threads.count()];
        for (int i = 0; i < streams.length; i++) {
            streams[i] = onednn.stream();
            results[i] = new NativeScratch();
        }
    }

    static boolean takes(CpuWeight weight, int rows) {
        return weight.dtype() == DType.BF16 && rows >= ROWS_MIN && weight.rows() >= 64 && weight.columns() >= 64;
    }

    void run(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, @Nullable CpuWeight bias, boolean accumulate) {
        this.in = in;
        this.out = out;
        this.weight = weight;
        this.bias = bias;
        this.accumulate = accumulate;
        for (int first = 0; first < rows; first += BLOCK_ROWS) {
            block(first, Math.min(BLOCK_ROWS, rows - first));
        }
    }

    private void block(int first, int count) {
        firstRow = first;
        rows = count;
        int unit = rows <= 16 ? 4 : rows <= 64 ? 16 : 64;
        paddedRows = Math.ceilDiv(rows, unit) * unit;
        inputs.ensure(2L * paddedRows * in.columns());
        // Two parts per thread even out unequal speed; a multiple of 64 fits the library's tiles.
        int share = Math.ceilDiv(weight.rows(), 2 * threads.count());
        partOutputs = Math.min(Math.ceilDiv(share, 64) * 64, weight.rows());
        int parts = Math.ceilDiv(weight.rows(), partOutputs);
        whole = product(partOutputs);
        last = product(weight.rows() - (parts - 1) * partOutputs);
        threads.run(rounding, Math.ceilDiv(rows, RoundInputs.ROWS));
        threads.run(this, parts);
    }

    private OnednnProduct product(int outputs) {
        int columns = weight.columns();
        long key = ((long) paddedRows << 48) | ((long) outputs << 24) | columns;
        int at = find(key);
        if (products[at] == null && productCount == PRODUCTS_MAX) {
            close();
            at = find(key);
        }
        var product = products[at];
        if (product == null) {
            product = new OnednnProduct(onednn, paddedRows, outputs, columns, columns, threads.count());
            keys[at] = key;
            products[at] = product;
            productCount++;
        }
        return product;
    }

    private int find(long key) {
        int at = (int) ((key * 0x9e37_79b9_7f4a_7c15L) >>> 53);
        while (keys[at] != 0 && keys[at] != key) {
            at = (at + 1) % keys.length;
        }
        return at;
    }

    /** Rows of floats to bf16. */
    private final class RoundInputs implements WorkerThreads.Parts {
        static final int ROWS = 8;

        @Override
        public void run(int part, int thread) {
            int end = Math.min(rows, (part + 1) * ROWS);
            for (int row = part * ROWS; row < end; row++) {
                long to = inputs.ensure(0) + 2L * row * in.columns();
                round(in.row(firstRow + row), to, in.columns());
            }
        }

        private static void round(long from, long to, int columns) {
            for (int c = 0; c < columns; c++) {
                Memory.setShort(to + 2L * c, StoredFloats.toBfloat16(Memory.get(from + 4L * c)));
            }
        }
    }

    @Override
    public void run(int part, int thread) {
        int from = part * partOutputs;
        int outputs = Math.min(partOutputs, weight.rows() - from);
        var product = outputs == partOutputs ? whole : last;
        if (product == null) {
            throw new IllegalStateException("no product was prepared");
        }
        long result = results[thread].ensure(4L * paddedRows * outputs);
        product.run(thread, streams[thread], inputs.ensure(0), weight.row(from), result);
        for (int row = 0; row < rows; row++) {
            long to = out.row(firstRow + row) + 4L * from;
            put(result + 4L * row * outputs, to, outputs, from);
        }
    }

    private void put(long from, long to, int count, int firstOutput) {
        var bias = this.bias;
        if (bias == null && !accumulate) {
            Memory.copy(from, to, 4L * count);
            return;
        }
        for (int i = 0; i < count; i++) {
            float value = Memory.get(from + 4L * i);
            value += bias == null ? 0 : Memory.get(bias.address() + 4L * (firstOutput + i));
            Memory.set(to + 4L * i, accumulate ? Memory.get(to + 4L * i) + value : value);
        }
    }

    /** Forgets all compiled shapes. */
    @Override
    public void close() {
        for (var product : products) {
            if (product != null) {
                product.close();
            }
        }
        Arrays.fill(products, null);
        Arrays.fill(keys, 0);
        productCount = 0;
    }
}
