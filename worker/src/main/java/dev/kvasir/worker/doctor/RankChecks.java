package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.Nccl;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.Weight;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import dev.kvasir.worker.kernel.cuda.CudaRanks;
import dev.kvasir.worker.kernel.cuda.ExchangeWay;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Several GPUs that compute one model: whether they reach each other's memory and how fast, and exchanges by every way that is
 * there, against plain sums on awkward sizes, from recorded steps too, and how long they take.
 */
final class RankChecks {
    private static final int[][] SHAPES = {
        {1, 8}, {1, 40}, {1, 151}, {2, 4096}, {3, 151}, {7, 200}, {33, 4096}, {64, 4096}, {129, 1032}, {700, 4096}
    };
    private static final int ROWS_MAX = 8192;
    private static final int COLUMNS = 4096;
    private static final int RECORDED = 50;
    private static final long COPIED_BYTES = 256L << 20;

    private final List<GpuInfo> gpus;
    private final CudaOptions options;
    private final Report report;
    private final Consumer<KernelCheck> checks;

    RankChecks(List<GpuInfo> gpus, CudaOptions options, Report report, Consumer<KernelCheck> checks) {
        this.gpus = List.copyOf(gpus);
        this.options = options;
        this.report = report;
        this.checks = checks;
    }

    void run() {
        report.section("%d GPUs together".formatted(gpus.size()));
        var missing = Nccl.missing(options.libraryPath());
        if (missing.isPresent()) {
            report.note("NCCL", missing.get());
        } else {
            way(ExchangeWay.NCCL);
        }
        way(ExchangeWay.PEER);
        way(ExchangeWay.FUSED);
    }

    private void way(ExchangeWay way) {
        for (var type : List.of(DType.F32, DType.BF16, DType.F16)) {
            try (var ranks = open(way, type)) {
                if (type == DType.F32) {
                    report.note("", ranks.describe());
                }
                var name = "%s, %s".formatted(way, type).toLowerCase(Locale.ROOT);
                checks.accept(sums(ranks, type, "sums by " + name));
                if (way == ExchangeWay.FUSED) {
                    checks.accept(RankStepChecks.norms(ranks, type, "sums and norms by " + name));
                }
                if (type == DType.F32) {
                    checks.accept(gatherings(ranks, "gathering by " + name));
                    checks.accept(recorded(ranks, "recorded sums by " + name));
                }
                if (type == DType.F32 && way == ExchangeWay.FUSED) {
                    checks.accept(RankStepChecks.largest(ranks, "largest logit by " + name));
                }
                if (type == DType.BF16) {
                    times(ranks, way);
                }
            } catch (RuntimeException e) {
                report.bad("exchange by " + way.toString().toLowerCase(Locale.ROOT), String.valueOf(e));
                return;
            }
        }
    }

    private Ranks open(ExchangeWay way, DType type) {
        var chosen = new CudaOptions(options.memoryUtilization(), options.cache(), options.libraryPath(), false, way);
        return CudaRanks.open(gpus, type, new StepLimits(ROWS_MAX, 8, 8), chosen);
    }

    /** What one rank adds up: two parts in turn, and where the sum goes. */
    record Sum(Kernels kernels, Exchange exchange, List<Matrix> parts, Matrix out, Weight table) {
        static Sum of(Ranks ranks, int rank, int rows, int columns) {
            var kernels = ranks.kernels(rank);
            var exchange = ranks.exchange(rank);
            return new Sum(
                    kernels,
                    exchange,
                    List.of(exchange.allocatePart(rows, columns), exchange.allocatePart(rows, columns)),
                    kernels.allocate(rows, columns),
                    table(kernels, rank, columns));
        }

        /** 64 rows of whole numbers up to 8, of which sums are exact. */
        static Weight table(Kernels kernels, int rank, int columns) {
            try (var arena = Arena.ofConfined()) {
                var data = arena.allocate(64L * columns * Float.BYTES, 64);
                for (int row = 0; row < 64; row++) {
                    for (int c = 0; c < columns; c++) {
                        data.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + c, value(rank, row, c));
                    }
                }
                return kernels.load(new Tensor("table", DType.F32, List.of(64, columns), data));
            }
        }

        static float value(int rank, int row, int column) {
            return (row * 7 + column * 3 + rank * 5 + column / 64) % 17 - 8;
        }

        void fill(int turn, int rows) {
            kernels.embed(parts.get(turn), rows, table, ids(rows, turn), 1);
        }

        static int[] ids(int rows, int turn) {
            var ids = new int[rows];
            for (int row = 0; row < rows; row++) {
                ids[row] = (row + 13 * turn) % 64;
            }
            return ids;
        }
    }

    private static KernelCheck sums(Ranks ranks, DType type, String name) {
        var tally = new Tally(name);
        for (int[] shape : SHAPES) {
            int rows = shape[0];
            int columns = shape[1];
            ranks.each(rank -> {
                var sum = Sum.of(ranks, rank, rows, columns);
                for (int round = 0; round < 6; round++) {
                    sum.fill(0, rows);
                    sum.exchange().sum(sum.out(), sum.parts().getFirst(), rows, false);
                    tally.compare(sum.out(), rows, columns, (row, c) -> total(ranks.count(), 0, row, c));
                    sum.fill(1, rows);
                    sum.exchange().sum(sum.out(), sum.parts().getLast(), rows, true);
                    tally.compare(
                            sum.out(),
                            rows,
                            columns,
                            (row, c) -> total(ranks.count(), 0, row, c) + total(ranks.count(), 1, row, c));
                }
            });
        }
        // Sums of so small whole numbers are exact in every type.
        return tally.result(type == DType.F32 ? 0 : 1e-2);
    }

    static float total(int ranks, int turn, int row, int column) {
        float sum = 0;
        for (int rank = 0; rank < ranks; rank++) {
            sum += Sum.value(rank, (row + 13 * turn) % 64, column);
        }
        return sum;
    }

    private static KernelCheck gatherings(Ranks ranks, String name) {
        var tally = new Tally(name);
        for (int columns : new int[] {151, 1000, 50_257, 128_256}) {
            int stretch = Math.ceilDiv(Math.ceilDiv(columns, ranks.count()), 8) * 8;
            var counts = new ArrayList<Integer>();
            for (int rank = 0; rank < ranks.count(); rank++) {
                counts.add(Math.min(stretch, columns - rank * stretch));
            }
            ranks.each(rank -> {
                var kernels = ranks.kernels(rank);
                var gathering = ranks.exchange(rank).gathering(9, counts);
                var table = Sum.table(kernels, rank, counts.get(rank));
                for (int round = 0; round < 4; round++) {
                    int turn = round;
                    int rows = 9 - 2 * round;
                    kernels.embed(gathering.part(), rows, table, Sum.ids(rows, turn), 1);
                    gathering.gather(rows);
                    tally.compare(
                            gathering.whole(),
                            rows,
                            columns,
                            (row, c) -> Sum.value(c / stretch, (row + 13 * turn) % 64, c % stretch));
                }
            });
        }
        return tally.result(0);
    }

    /** Many exchanges in a row, submitted again and again: what is still read must not be overwritten. */
    private static KernelCheck recorded(Ranks ranks, String name) {
        var tally = new Tally(name);
        for (int rows : new int[] {1, 64, 700}) {
            ranks.each(rank -> {
                var sum = Sum.of(ranks, rank, rows, COLUMNS);
                var gpu = ((CudaKernels) sum.kernels()).gpu();
                var tables = List.of(
                        sum.kernels().allocate(rows, COLUMNS), sum.kernels().allocate(rows, COLUMNS));
                for (int turn = 0; turn < 2; turn++) {
                    sum.kernels().embed(tables.get(turn), rows, sum.table(), Sum.ids(rows, turn), 1);
                    sum.fill(turn, rows);
                }
                sum.exchange().sum(sum.out(), sum.parts().getFirst(), rows, false);
                var graph = gpu.record(() -> {
                    for (int i = 0; i < RECORDED; i++) {
                        int turn = (i + 1) % 2;
                        // What the part was, whatever an exchange made of it.
                        sum.kernels().scale(sum.parts().get(turn), rows, 0, 0);
                        sum.kernels().add(sum.parts().get(turn), tables.get(turn), rows, 1);
                        sum.exchange().sum(sum.out(), sum.parts().get(turn), rows, i % 10 != 0);
                    }
                });
                for (int launch = 0; launch < 8; launch++) {
                    graph.launch(gpu.stream());
                }
                gpu.stream().synchronize();
                // The last ten of them are what is left: five of either part.
                tally.compare(
                        sum.out(),
                        rows,
                        COLUMNS,
                        (row, c) -> 5 * (total(ranks.count(), 0, row, c) + total(ranks.count(), 1, row, c)));
            });
        }
        return tally.result(0);
    }

    private void times(Ranks ranks, ExchangeWay way) {
        var line = new StringBuilder();
        var micros = new double[1];
        for (int rows : new int[] {1, 4, 16, 64, 256, 1024, 4096}) {
            ranks.each(rank -> {
                var sum = Sum.of(ranks, rank, rows, COLUMNS);
                sum.exchange().sum(sum.out(), sum.parts().get(1), rows, true);
                var graph = ((CudaKernels) sum.kernels()).gpu().record(() -> {
                    for (int i = 0; i < RECORDED; i++) {
                        sum.exchange().sum(sum.out(), sum.parts().get(i % 2), rows, true);
                    }
                });
                var gpu = ((CudaKernels) sum.kernels()).gpu();
                double seconds = GpuRates.seconds(gpu, () -> graph.launch(gpu.stream()));
                if (rank == 0) {
                    micros[0] = 1e6 * seconds / RECORDED;
                }
            });
            line.append(String.format(Locale.ROOT, "%s%d KiB %.1f", line.isEmpty() ? "" : ", ", rows * 8, micros[0]));
        }
        report.note("us per sum by %s, bf16".formatted(way).toLowerCase(Locale.ROOT), line.toString());
        if (way == ExchangeWay.PEER) {
            copies(ranks);
        }
        if (way == ExchangeWay.FUSED) {
            report.note("us per sum and norm (apart)", RankStepChecks.times(ranks));
        }
    }

    /** How fast each GPU reads each other's memory. */
    private void copies(Ranks ranks) {
        var addresses = new long[ranks.count()];
        var own = new long[ranks.count()];
        ranks.each(rank -> {
            var arena = ((CudaKernels) ranks.kernels(rank)).arena();
            addresses[rank] = arena.allocate(COPIED_BYTES);
            own[rank] = arena.allocate(COPIED_BYTES);
        });
        for (int from = 0; from < ranks.count(); from++) {
            for (int to = 0; to < ranks.count(); to++) {
                if (from != to) {
                    int source = from;
                    int reader = to;
                    var rate = new double[1];
                    ranks.each(rank -> {
                        if (rank == reader) {
                            var kernels = (CudaKernels) ranks.kernels(rank);
                            double seconds = GpuRates.seconds(
                                    kernels.gpu(),
                                    () -> kernels.gpu().stream()
                                            .copyOnDevice(own[rank], addresses[source], COPIED_BYTES));
                            rate[0] = COPIED_BYTES / seconds / 1e9;
                        }
                    });
                    report.note(
                            "copy from GPU %d to GPU %d".formatted(from, to),
                            String.format(Locale.ROOT, "%8.0f GB/s", rate[0]));
                }
            }
        }
    }
}
