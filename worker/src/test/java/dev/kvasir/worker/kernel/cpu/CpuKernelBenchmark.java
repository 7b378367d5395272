package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.Tensors;
import dev.kvasir.worker.kernel.Weight;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Products of the shapes of Llama 1.1B and attention, against this machine's ceilings.
 *
 * <p>Arguments as of {@link BenchmarkArguments}.
 */
final class CpuKernelBenchmark {
    private static final int[][] SHAPES = {{2048, 2048}, {5632, 2048}, {2048, 5632}, {256, 2048}, {32000, 2048}};
    private static final int[] ROWS = {1, 4, 8, 16, 64, 512};

    /** Weights of one shape add up to this, so that they come from memory and not from a cache. */
    private static final long WORKING_SET = 160 << 20;

    private final SplittableRandom random = new SplittableRandom(1);
    private final CpuKernels kernels;
    private final WorkerThreads threads;
    private final Measurement measurement;

    private CpuKernelBenchmark(CpuKernels kernels, int threadCount) {
        this.kernels = kernels;
        threads = new WorkerThreads(threadCount);
        measurement = new Measurement(threads);
    }

    public static void main(String[] arguments) throws IOException {
        var options = BenchmarkArguments.options(arguments);
        try (var kernels = new CpuKernels(options)) {
            System.out.println(kernels.describe());
            var benchmark = new CpuKernelBenchmark(kernels, options.threads());
            System.out.printf(
                    "ceilings: %.1f GB/s, %.0f GFLOP/s f32%n",
                    benchmark.measurement.bandwidth() * 1e-9, benchmark.measurement.peakFlops() * 1e-9);
            benchmark.products();
            benchmark.attention();
            benchmark.floatProductsOfOnednn(options.cache());
            benchmark.overhead();
        }
    }

    private void products() {
        System.out.println("outputs x columns rows  microseconds   GB/s (of bandwidth)  GFLOP/s (of f32 peak)");
        for (int[] shape : SHAPES) {
            long bytes = 2L * shape[0] * shape[1];
            var weights = weights(shape[0], shape[1], (int) Math.max(1, WORKING_SET / bytes));
            for (int rows : ROWS) {
                product(shape[0], shape[1], rows, weights);
            }
        }
    }

    private List<Weight> weights(int outputs, int columns, int count) {
        var stored = Tensors.random(DType.BF16, outputs, columns, 0.02f, random);
        var weights = new ArrayList<Weight>();
        for (int i = 0; i < count; i++) {
            var data = Arena.ofAuto().allocate(stored.data().byteSize(), 64).copyFrom(stored.data());
            weights.add(kernels.load(new Tensor("w", DType.BF16, stored.shape(), data)));
        }
        return weights;
    }

    private void product(int outputs, int columns, int rows, List<Weight> weights) {
        var in = KernelPair.filled(kernels, Tensors.random(DType.F32, rows, columns, 1, random));
        var out = kernels.allocate(rows, outputs);
        double flop = 2.0 * rows * outputs * columns;
        int runs = (int) Math.clamp(4e10 / flop, 5, 300);
        var next = new int[1];
        Runnable run = () -> kernels.multiply(out, in, rows, weights.get(next[0]++ % weights.size()), null, false);
        measurement.median(Math.max(5, runs / 4), run);
        double peak = measurement.peakFlops();
        double bandwidth = measurement.bandwidth();
        double seconds = measurement.median(runs, run);
        double rate = 2.0 * outputs * columns / seconds;
        System.out.printf(
                "%5d x %5d %4d %12.0f %8.1f (%3.0f %%) %10.1f (%3.0f %%)%n",
                outputs,
                columns,
                rows,
                seconds * 1e6,
                rate * 1e-9,
                100 * rate / bandwidth,
                flop / seconds * 1e-9,
                100 * flop / seconds / peak);
    }

    private void attention() {
        var layout = new KvLayout(1, 4, 64, 64, 16, DType.BF16);
        var kv = kernels.allocateKv(layout, 16 * 65);
        var shape = new AttentionShape(32, 4, 64, 0.125f, 0, 0);
        for (int[] step : new int[][] {{1, 1, 1024}, {16, 1, 1024}, {1, 512, 512}}) {
            var batch = new Batch(step[0] * step[1], step[0]);
            for (int s = 0; s < step[0]; s++) {
                int first = 65 * s;
                int[] table = IntStream.range(first, first + 65).toArray();
                batch.add(new int[step[2]], step[2] - step[1], step[2], table, step[2]);
            }
            var query = kernels.allocate(batch.rowCount, 2048);
            var out = kernels.allocate(batch.rowCount, 2048);
            Runnable run = () -> kernels.attend(out, query, kv, 0, batch, shape);
            measurement.median(100, run);
            System.out.printf(
                    "attention, 32/4 heads of 64, bf16: %d sequences, %d rows each, context %d: %.0f microseconds%n",
                    step[0], step[1], step[2], measurement.median(100, run) * 1e6);
        }
    }

    /** What oneDNN does with weights already expanded to floats, each thread with its share of the outputs. */
    private void floatProductsOfOnednn(Path cache) throws IOException {
        var onednn = Onednn.load(cache);
        for (int rows : new int[] {16, 512}) {
            int outputs = 2048;
            int columns = 2048;
            int share = outputs / threads.count();
            var a = Arena.ofAuto().allocate(4L * rows * columns, 64).fill((byte) 0);
            var b = Arena.ofAuto().allocate(4L * outputs * columns, 64).fill((byte) 0);
            var c = Arena.ofAuto().allocate(4L * rows * outputs, 64);
            WorkerThreads.Parts parts = (part, thread) -> onednn.multiplyFloats(
                    rows,
                    share,
                    columns,
                    a.address(),
                    columns,
                    b.address() + 4L * part * share * columns,
                    columns,
                    c.address() + 4L * part * share,
                    outputs);
            measurement.median(5, () -> threads.run(parts, threads.count()));
            double peak = measurement.peakFlops();
            double seconds = measurement.median(9, () -> threads.run(parts, threads.count()));
            double rate = 2.0 * rows * outputs * columns / seconds;
            System.out.printf(
                    "oneDNN sgemm, f32 weights, 2048 x 2048 by %d rows: %.1f GFLOP/s (%.0f %% of peak), %s%n",
                    rows, rate * 1e-9, 100 * rate / peak, onednn.isa());
        }
    }

    /** An operation with nothing to do on each thread. */
    private void overhead() {
        WorkerThreads.Parts nothing = (part, thread) -> {};
        Runnable thousand = () -> {
            for (int i = 0; i < 1000; i++) {
                threads.run(nothing, threads.count());
            }
        };
        measurement.median(50, thousand);
        System.out.printf(
                "an empty operation on all threads: %.2f microseconds%n", measurement.median(50, thousand) * 1e3);
    }
}
