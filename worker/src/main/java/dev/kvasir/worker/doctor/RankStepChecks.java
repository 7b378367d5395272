package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.doctor.RankChecks.Sum;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.Weight;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Exchanges that do what follows a sum or logits, too, against the operations one after the other. */
final class RankStepChecks {
    private static final int[][] SHAPES = {
        {1, 8}, {3, 40}, {2, 4096}, {7, 200}, {33, 4096}, {64, 4096}, {128, 1032}, {5, 8192}, {129, 1032}, {200, 4096}
    };
    private static final float EPSILON = 1e-5f;
    private static final float OFFSET = 0.5f;
    private static final int COLUMNS = 4096;
    private static final int RECORDED = 50;

    private RankStepChecks() {}

    /** The residual stream, which begins as the sum of the first parts, and gets that of the second; and its norm. */
    static KernelCheck norms(Ranks ranks, DType type, String name) {
        var tally = new Tally(name);
        for (int[] shape : SHAPES) {
            int rows = shape[0];
            int columns = shape[1];
            ranks.each(rank -> {
                var sum = Sum.of(ranks, rank, rows, columns);
                var normed = sum.kernels().allocate(rows, columns);
                var weight = weight(sum.kernels(), columns);
                for (int round = 0; round < 5; round++) {
                    sum.fill(0, rows);
                    sum.exchange().sum(sum.out(), sum.parts().getFirst(), rows, false);
                    sum.fill(1, rows);
                    sumAndNormalise(sum, 1, rows, normed, weight);
                    int count = ranks.count();
                    tally.compare(sum.out(), rows, columns, (row, c) -> hidden(count, row, c));
                    var scales = new float[rows];
                    for (int row = 0; row < rows; row++) {
                        scales[row] = scale(count, row, columns);
                    }
                    tally.compare(
                            normed,
                            rows,
                            columns,
                            (row, c) -> hidden(count, row, c) * scales[row] * (OFFSET + weightAt(c)));
                }
            });
        }
        return tally.result(type == DType.F32 ? 1e-5 : 1e-2);
    }

    private static void sumAndNormalise(Sum sum, int turn, int rows, Matrix normed, Weight weight) {
        var part = sum.parts().get(turn);
        if (!sum.exchange().sumAndNormalise(normed, sum.out(), part, rows, weight, EPSILON, OFFSET)) {
            sum.exchange().sum(sum.out(), part, rows, true);
            sum.kernels().rmsNorm(normed, sum.out(), rows, weight, EPSILON, OFFSET);
        }
    }

    private static float hidden(int ranks, int row, int column) {
        return RankChecks.total(ranks, 0, row, column) + RankChecks.total(ranks, 1, row, column);
    }

    private static float scale(int ranks, int row, int columns) {
        double squares = 0;
        for (int c = 0; c < columns; c++) {
            squares += Math.pow(hidden(ranks, row, c), 2);
        }
        return (float) (1 / Math.sqrt(squares / columns + EPSILON));
    }

    private static float weightAt(int column) {
        return column % 5 * 0.25f;
    }

    private static Weight weight(Kernels kernels, int columns) {
        try (var arena = Arena.ofConfined()) {
            var data = arena.allocate(4L * columns, 64);
            for (int c = 0; c < columns; c++) {
                data.setAtIndex(ValueLayout.JAVA_FLOAT, c, weightAt(c));
            }
            return kernels.load(new Tensor("norm", DType.F32, List.of(columns), data));
        }
    }

    /** Whole numbers, so that many are equal: the lowest id counts, whatever rank has it. */
    static KernelCheck largest(Ranks ranks, String name) {
        var tally = new Tally(name);
        for (int columns : new int[] {20, 151, 1000, 50_257, 128_256}) {
            int stretch = Math.ceilDiv(Math.ceilDiv(columns, ranks.count()), 8) * 8;
            if (stretch * (ranks.count() - 1) >= columns) {
                continue; // The last rank would have none.
            }
            var counts = new ArrayList<Integer>();
            for (int rank = 0; rank < ranks.count(); rank++) {
                counts.add(Math.min(stretch, columns - rank * stretch));
            }
            ranks.each(rank -> {
                var kernels = ranks.kernels(rank);
                var gathering = ranks.exchange(rank).gathering(9, counts);
                if (!gathering.chooses()) {
                    return;
                }
                var choices = kernels.allocateChoices(9);
                var table = Sum.table(kernels, rank, counts.get(rank));
                for (int round = 0; round < 7; round++) {
                    int rows = 9 - round;
                    kernels.embed(gathering.part(), rows, table, Sum.ids(rows, round), 1);
                    gathering.chooseLargest(choices, rows);
                    var chosen = choices.read(rows);
                    chosen.await();
                    for (int row = 0; row < rows; row++) {
                        int best = best((row + 13 * round) % 64, columns, stretch);
                        tally.add(
                                chosen.token(row) == best ? 0 : 1,
                                "%d of %d instead of %d".formatted(chosen.token(row), columns, best));
                        float value = Sum.value(best / stretch, (row + 13 * round) % 64, best % stretch);
                        tally.add(Math.abs(chosen.logit(row) - value), chosen.logit(row) + " instead of " + value);
                    }
                }
            });
        }
        return tally.result(0);
    }

    private static int best(int row, int columns, int stretch) {
        int best = 0;
        for (int c = 1; c < columns; c++) {
            if (Sum.value(c / stretch, row, c % stretch) > Sum.value(best / stretch, row, best % stretch)) {
                best = c;
            }
        }
        return best;
    }

    /** From recorded steps, as they are used. */
    static String times(Ranks ranks) {
        var line = new StringBuilder();
        var micros = new double[2];
        for (int rows : new int[] {1, 4, 16, 64, 128}) {
            ranks.each(rank -> {
                var sum = Sum.of(ranks, rank, rows, COLUMNS);
                var normed = sum.kernels().allocate(rows, COLUMNS);
                var weight = weight(sum.kernels(), COLUMNS);
                for (int apart = 0; apart < 2; apart++) {
                    boolean one = apart == 0;
                    Runnable issue = () -> {
                        for (int i = 0; i < RECORDED; i++) {
                            if (one) {
                                sumAndNormalise(sum, i % 2, rows, normed, weight);
                            } else {
                                sum.exchange().sum(sum.out(), sum.parts().get(i % 2), rows, true);
                                sum.kernels().rmsNorm(normed, sum.out(), rows, weight, EPSILON, OFFSET);
                            }
                        }
                    };
                    issue.run();
                    var gpu = ((CudaKernels) sum.kernels()).gpu();
                    var graph = gpu.record(issue);
                    double seconds = GpuRates.seconds(gpu, () -> graph.launch(gpu.stream()));
                    if (rank == 0) {
                        micros[apart] = 1e6 * seconds / RECORDED;
                    }
                }
            });
            line.append(String.format(
                    Locale.ROOT, "%s%d KiB %.1f (%.1f)", line.isEmpty() ? "" : ", ", rows * 8, micros[0], micros[1]));
        }
        return line.toString();
    }
}
