package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.StoredFloats;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * Products with bf16 weights by oneDNN, for processors that multiply bf16: inputs are rounded to bf16, sums are f32. Each
 * part is some outputs of all rows, one oneDNN call on the thread that claimed it.
 *
 * <p>A shape of product is compiled on first use, so row counts are rounded up and the rest of the rows are computed in
 * vain; as many shapes as {@code PRODUCTS_MAX} are kept.
 */
final class OnednnMultiply implements WorkerThreads.Parts, AutoCloseable {
    /** Stored weights are put into another order on each call, which fewer rows do not pay for (docs/performance/cpu.md). */
    private static final int ROWS_MIN = 12;

    /** Fewer rows gain nothing (docs/performance/cpu.md). */
    private static final int PACKED_ROWS_MIN = 4;

    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(Memory.INTS.vectorBitSize() / 2));
    private static final int SIZE_MIN = 64;

    private static final int BLOCK_ROWS = 512;
    private static final int PRODUCTS_MAX = 1024;
    private static final long PACKED = 1L << 62;

    private final Onednn onednn;
    private final WorkerThreads threads;
    private final OnednnWeights weights;
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
    private OnednnWeights.@Nullable Packed packed;
    private @Nullable OnednnProduct whole;
    private @Nullable OnednnProduct last;

    /** @param packedBytesMax of copies of weights in oneDNN's order */
    OnednnMultiply(Onednn onednn, WorkerThreads threads, long packedBytesMax) {
        this.onednn = onednn;
        this.threads = threads;
        streams = new MemorySegment[threads.count()];
        results = new NativeScratch[threads.count()];
        for (int i = 0; i < streams.length; i++) {
            streams[i] = onednn.stream();
            results[i] = new NativeScratch();
        }
        weights = new OnednnWeights(onednn, streams[0], packedBytesMax);
    }

    /** Whether it is faster here; packs the weight where there is room. */
    boolean takes(CpuWeight weight, int rows) {
        return weight.dtype() == DType.BF16
                && rows >= PACKED_ROWS_MIN
                && weight.rows() >= SIZE_MIN
                && weight.columns() >= SIZE_MIN
                && (rows >= ROWS_MIN || weights.of(weight, share(weight)) != null);
    }

    /** Outputs of a part: two parts per thread even out unequal speed; a multiple of 64 fits the library's tiles. */
    private int share(CpuWeight weight) {
        int share = Math.ceilDiv(weight.rows(), 2 * threads.count());
        return Math.min(Math.ceilDiv(share, 64) * 64, weight.rows());
    }

    void run(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, @Nullable CpuWeight bias, boolean accumulate) {
        this.in = in;
        this.out = out;
        this.weight = weight;
        this.bias = bias;
        this.accumulate = accumulate;
        partOutputs = share(weight);
        packed = weights.of(weight, partOutputs);
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
        int parts = Math.ceilDiv(weight.rows(), partOutputs);
        whole = product(partOutputs);
        last = product(weight.rows() - (parts - 1) * partOutputs);
        threads.run(rounding, Math.ceilDiv(rows, RoundInputs.ROWS));
        threads.run(this, parts);
    }

    private OnednnProduct product(int outputs) {
        int columns = weight.columns();
        long key = ((long) paddedRows << 48) | ((long) outputs << 24) | columns;
        key |= packed == null ? 0 : PACKED;
        int at = find(key);
        if (products[at] == null && productCount == PRODUCTS_MAX) {
            forget();
            at = find(key);
        }
        var product = products[at];
        if (product == null) {
            product = compiled(outputs);
            keys[at] = key;
            products[at] = product;
            productCount++;
        }
        return product;
    }

    private OnednnProduct compiled(int outputs) {
        int columns = weight.columns();
        if (packed != null) {
            var order = weights.order(outputs, columns, DType.BF16);
            return new OnednnProduct(onednn, paddedRows, outputs, columns, DType.BF16, order, threads.count());
        }
        var stored = OnednnWeights.stored(onednn, outputs, columns, DType.BF16);
        var product = new OnednnProduct(onednn, paddedRows, outputs, columns, DType.BF16, stored, threads.count());
        onednn.destroyDescriptor(stored);
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
            int whole = columns / LANES * LANES;
            for (int c = 0; c < whole; c += LANES) {
                roundLanes(from + 4L * c, to + 2L * c);
            }
            for (int c = whole; c < columns; c++) {
                Memory.setShort(to + 2L * c, StoredFloats.toBfloat16(Memory.get(from + 4L * c)));
            }
        }

        /** To the nearest, ties to even: what is cut off is at least half, or more than half, of the last place. */
        private static void roundLanes(long from, long to) {
            var bits = Memory.loadInts(from);
            var last = bits.lanewise(VectorOperators.LSHR, 16).and(1);
            var rounded = bits.add(last).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
            var quiet = bits.lanewise(VectorOperators.LSHR, 16).or(0x40);
            var nan = bits.and(0x7fff_ffff).compare(VectorOperators.GT, 0x7f80_0000);
            rounded.blend(quiet, nan)
                    .convertShape(VectorOperators.I2S, SHORTS, 0)
                    .reinterpretAsShorts()
                    .intoMemorySegment(Memory.ALL, to, Memory.ORDER);
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
        var packed = this.packed;
        long weights = packed == null ? weight.row(from) : packed.address(part);
        product.run(thread, streams[thread], inputs.ensure(0), weights, result);
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
        if (bias == null) {
            add(from, to, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            float value = Memory.get(from + 4L * i);
            value += Memory.get(bias.address() + 4L * (firstOutput + i));
            Memory.set(to + 4L * i, accumulate ? Memory.get(to + 4L * i) + value : value);
        }
    }

    private static void add(long from, long to, int count) {
        int whole = count / LANES * LANES;
        for (int i = 0; i < whole; i += LANES) {
            Memory.store(to + 4L * i, Memory.load(to + 4L * i).add(Memory.load(from + 4L * i)));
        }
        for (int i = whole; i < count; i++) {
            Memory.set(to + 4L * i, Memory.get(to + 4L * i) + Memory.get(from + 4L * i));
        }
    }

    @Override
    public void close() {
        forget();
        weights.close();
    }

    /** Forgets all compiled shapes. */
    private void forget() {
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
