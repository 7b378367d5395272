package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.Weight;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How fast a GPU copies, multiplies and attends, as shares of its limits. Medians over repetitions, by its own clock. */
final class GpuRates {
    private static final int REPEATS = 20;
    private static final double GIGA = 1e9;
    private static final int BLOCK_SIZE = 16;

    private final CudaKernels kernels;
    private final Gpu gpu;
    private final List<Rate> rates = new ArrayList<>();

    GpuRates(CudaKernels kernels) {
        this.kernels = kernels;
        this.gpu = kernels.gpu();
    }

    /**
     * One measurement.
     *
     * @param limit what it can be at most; 0 where that is not known
     */
    record Rate(String name, double value, String unit, double limit, String limitName) {
        String describe() {
            var share = limit == 0
                    ? ""
                    : String.format(Locale.ROOT, ", %.0f %% of %.0f (%s)", 100 * value / limit, limit, limitName);
            return String.format(Locale.ROOT, "%8.0f %s%s", value, unit, share);
        }
    }

    List<Rate> measure() {
        double copy = copyBandwidth();
        rates.add(new Rate("copy on the device, read and written", copy, "GB/s", 0, ""));
        double product = product(8192, 8192, 8192);
        rates.add(new Rate("product of bf16, 8192 x 8192 x 8192", product, "TFLOP/s", 0, ""));
        rates.add(new Rate(
                "product of bf16, 4096 x 28672 x 4096",
                product(4096, 28_672, 4096),
                "TFLOP/s",
                product,
                "the largest product"));
        for (int rows : new int[] {1, 16, 64}) {
            rates.add(new Rate(
                    "weights read by a product of %d rows".formatted(rows),
                    weightBandwidth(rows),
                    "GB/s",
                    copy,
                    "copy"));
        }
        for (var format : List.of(KvFormat.BF16, KvFormat.FP8)) {
            for (int[] size : new int[][] {{64, 4096}, {4, 16_384}}) {
                decoding(size[0], size[1], format, copy);
            }
        }
        for (var format : List.of(KvFormat.BF16, KvFormat.FP8)) {
            rates.add(new Rate(
                    "attention over a prompt of 4096, KV of " + format,
                    prefillRate(4096, format),
                    "TFLOP/s",
                    product,
                    "the largest product"));
        }
        return rates;
    }

    private double seconds(Runnable issue) {
        return seconds(gpu, issue);
    }

    /** Time on the device of what is issued to its stream, the median of several. */
    static double seconds(Gpu gpu, Runnable issue) {
        var start = gpu.event();
        var end = gpu.event();
        var times = new double[REPEATS];
        issue.run();
        for (int i = 0; i < REPEATS; i++) {
            start.record(gpu.stream());
            issue.run();
            end.record(gpu.stream());
            end.synchronize();
            times[i] = end.millisSince(start) / 1e3;
        }
        Arrays.sort(times);
        return times[REPEATS / 2];
    }

    private double copyBandwidth() {
        long bytes = Math.min(2L << 30, kernels.arena().freeBytes() / 4);
        var from = kernels.random(DType.BF16, 1 << 10, (int) (bytes >> 11), 0, 1, 1);
        long to = kernels.arena().allocate(bytes);
        long address = kernels.addressOf(from);
        return 2 * bytes / seconds(() -> gpu.stream().copyOnDevice(to, address, bytes)) / GIGA;
    }

    private double product(int rows, int outputs, int columns) {
        var in = kernels.allocate(rows, columns);
        var table = kernels.random(DType.BF16, 64, columns, 0, 1, 2);
        var ids = new int[rows];
        for (int i = 0; i < rows; i++) {
            ids[i] = i % 64;
        }
        kernels.embed(in, rows, table, ids, 1);
        var weight = kernels.random(DType.BF16, outputs, columns, 0, 1, 3);
        var out = kernels.allocate(rows, outputs);
        double time = seconds(() -> kernels.multiply(out, in, rows, weight, null, false));
        return 2.0 * rows * outputs * columns / time / 1e12;
    }

    /** Over several weights in turn, more than the cache holds. */
    private double weightBandwidth(int rows) {
        int columns = 4096;
        int outputs = 14_336;
        int weights = 8;
        var in = kernels.allocate(rows, columns);
        kernels.embed(in, rows, kernels.random(DType.BF16, rows, columns, 0, 1, 4), range(rows), 1);
        var out = kernels.allocate(rows, outputs);
        var all = new ArrayList<Weight>();
        for (int i = 0; i < weights; i++) {
            all.add(kernels.random(DType.BF16, outputs, columns, 0, 1, 5 + i));
        }
        Runnable issue = () -> all.forEach(weight -> kernels.multiply(out, in, rows, weight, null, false));
        issue.run();
        gpu.stream().synchronize();
        var graph = gpu.record(issue);
        double time = seconds(() -> graph.launch(gpu.stream()));
        return 2.0 * weights * outputs * columns / time / GIGA;
    }

    private static int[] range(int count) {
        var values = new int[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        return values;
    }

    private void decoding(int sequences, int context, KvFormat format, double copy) {
        double time = attention(new Batch(sequences, sequences), sequences, context, context - 1, format);
        var name = "%d x %d tokens, KV of %s".formatted(sequences, context, format);
        double bytes = (double) layout(format).bytesPerLayerBlock() / BLOCK_SIZE * sequences * context;
        rates.add(new Rate("decode attention, " + name, time * 1e6, "us", 0, ""));
        rates.add(new Rate("KV read by it", bytes / time / GIGA, "GB/s", copy, "copy"));
    }

    private static KvLayout layout(KvFormat format) {
        return new KvLayout(1, 8, 128, 128, BLOCK_SIZE, format);
    }

    private double prefillRate(int context, KvFormat format) {
        var batch = new Batch(context, 1);
        // Half of all pairs of a query and a key are in the past.
        return 2.0 * 2 * 32 * 128 * context * (double) context / 2 / attention(batch, 1, context, 0, format) / 1e12;
    }

    /** Of the geometry of Llama 3.1 8B: 32 query heads, 8 KV heads of 128. */
    private double attention(Batch batch, int sequences, int context, int from, KvFormat format) {
        int blocks = Math.ceilDiv(context, BLOCK_SIZE);
        var kv = kernels.allocateKv(layout(format), blocks * sequences);
        kernels.fill(kv, 9);
        for (int s = 0; s < sequences; s++) {
            var table = new int[blocks];
            for (int b = 0; b < blocks; b++) {
                table[b] = b * sequences + s;
            }
            batch.add(new int[context], from, context, table, context);
        }
        int rows = batch.rowCount;
        var query = kernels.allocate(rows, 4096);
        kernels.embed(query, rows, kernels.random(DType.BF16, rows, 4096, 0, 1, 10), range(rows), 1);
        var out = kernels.allocate(rows, 4096);
        var shape = new AttentionShape(32, 8, 128, (float) (1 / Math.sqrt(128)), 0, 0);
        var time = new double[1];
        kernels.compute(batch, () -> time[0] = seconds(() -> kernels.attend(out, query, kv, 0, batch, shape)));
        return time[0];
    }
}
