package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Ranks of one process that exchange through arrays: any kernels whose activations are floats. */
public final class MemoryRanks implements Ranks {
    private final RankThreads threads;
    private final List<Kernels> kernels;
    private final CyclicBarrier barrier;
    private final float[][][] told;

    public MemoryRanks(int count, Supplier<Kernels> opener) {
        threads = new RankThreads(count, "rank", Duration.ofNanos(20_000));
        kernels = Stream.generate(opener).limit(count).toList();
        barrier = new CyclicBarrier(count);
        told = new float[count][][];
    }

    @Override
    public int count() {
        return kernels.size();
    }

    @Override
    public Kernels kernels(int rank) {
        return kernels.get(rank);
    }

    @Override
    public Exchange exchange(int rank) {
        return new MemoryExchange(rank);
    }

    @Override
    public void each(RankTask task) {
        threads.each(rank -> {
            try {
                task.run(rank);
            } catch (RuntimeException | Error e) {
                barrier.reset(); // Nobody waits for a rank that has failed.
                throw e;
            }
        });
    }

    @Override
    public String describe() {
        return "%d ranks of %s".formatted(count(), kernels.getFirst().describe());
    }

    @Override
    public void close() {
        threads.close();
        kernels.forEach(Kernels::close);
    }

    private void meet() {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException("another rank has failed", e);
        }
    }

    private final class MemoryExchange implements Exchange {
        private final int rank;

        MemoryExchange(int rank) {
            this.rank = rank;
        }

        @Override
        public Matrix allocatePart(int rowsMax, int columns) {
            return kernels(rank).allocate(rowsMax, columns);
        }

        @Override
        public void sum(Matrix out, Matrix part, int rows, boolean accumulate) {
            tell(part, rows);
            var sums = accumulate ? rows(out, rows) : new float[rows][out.columns()];
            for (int row = 0; row < rows; row++) {
                for (int c = 0; c < out.columns(); c++) {
                    float sum = 0;
                    for (var parts : told) {
                        sum += parts[row][c];
                    }
                    sums[row][c] += sum;
                }
            }
            meet();
            write(out, sums);
        }

        @Override
        public boolean sumAndNormalise(
                Matrix out, Matrix in, Matrix part, int rows, Weight weight, float epsilon, float weightOffset) {
            sum(in, part, rows, true);
            kernels(rank).rmsNorm(out, in, rows, weight, epsilon, weightOffset);
            return true;
        }

        private void tell(Matrix part, int rows) {
            told[rank] = rows(part, rows);
            meet();
        }

        private float[][] rows(Matrix matrix, int count) {
            var rows = new float[count][matrix.columns()];
            for (int row = 0; row < count; row++) {
                matrix.read(row, rows[row]);
            }
            return rows;
        }

        /** Kernels of floats copy rows of a table as they are. */
        private void write(Matrix out, float[][] rows) {
            if (rows.length == 0) {
                return;
            }
            var data = Arena.ofAuto().allocate((long) rows.length * out.columns() * Float.BYTES, 64);
            for (int row = 0; row < rows.length; row++) {
                for (int c = 0; c < out.columns(); c++) {
                    data.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * out.columns() + c, rows[row][c]);
                }
            }
            // Of one row it would be a vector.
            var table = kernels(rank).load(new Tensor("rows", DType.F32, List.of(rows.length, out.columns()), data));
            kernels(rank)
                    .embed(
                            out,
                            rows.length,
                            table,
                            IntStream.range(0, rows.length).toArray(),
                            1);
        }

        @Override
        public Gathering gathering(int rowsMax, List<Integer> columnsOfRanks) {
            var part = kernels(rank).allocateFloats(rowsMax, columnsOfRanks.get(rank));
            int columns = columnsOfRanks.stream().mapToInt(Integer::intValue).sum();
            var whole = kernels(rank).allocateFloats(rowsMax, columns);
            var seen = kernels(rank).allocateFloats(rowsMax, columns);
            return new Gathering() {
                @Override
                public Matrix part() {
                    return part;
                }

                @Override
                public Matrix whole() {
                    return whole;
                }

                @Override
                public void gather(int rows) {
                    bring(whole, rows);
                }

                private void bring(Matrix to, int rows) {
                    tell(part, rows);
                    var all = new float[rows][columns];
                    for (int row = 0; row < rows; row++) {
                        int at = 0;
                        for (var parts : told) {
                            System.arraycopy(parts[row], 0, all[row], at, parts[row].length);
                            at += parts[row].length;
                        }
                    }
                    meet();
                    write(to, all);
                }

                @Override
                public boolean chooses() {
                    return true;
                }

                // Whoever reads whole rows has to bring them together.
                @Override
                public void chooseLargest(Choices into, int rows) {
                    bring(seen, rows);
                    kernels(rank).chooseLargest(into, seen, rows);
                    var unknown = new float[rows][columns];
                    for (var row : unknown) {
                        Arrays.fill(row, Float.NaN);
                    }
                    write(whole, unknown);
                }
            };
        }
    }
}
