package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Tensors;
import dev.kvasir.worker.kernel.Weight;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Promise of the deterministic kernels: a row's bits do not depend on what is computed beside it. */
final class BatchInvarianceTest {
    private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 3));
    private final Kernels packed = TestKernels.deterministic(2);
    private final Kernels unpacked = TestKernels.unpacked(2);
    private Kernels kernels = packed;

    @AfterEach
    void close() {
        packed.close();
        unpacked.close();
    }

    @Test
    void productOfARowIsTheSameAloneAndInAnyBatch() {
        productOfARowIsTheSame(37);
        productOfARowIsTheSame(133);
    }

    @Test
    void productOfARowIsTheSameAloneAndInAnyBatchWhereWeightsAreNotPacked() {
        kernels = unpacked;
        productOfARowIsTheSame(37);
    }

    private void productOfARowIsTheSame(int outputs) {
        for (var dtype : DType.values()) {
            for (int columns : new int[] {33, 64, 1100}) {
                float[] values = Tensors.gaussian(700 * columns, 1, random);
                var weight = kernels.load(Tensors.random(dtype, outputs, columns, 1, random));
                float[][] whole = product(values, columns, 0, 700, weight, outputs);
                for (int rows : new int[] {1, 2, 3, 4, 5, 16, 33, 130, 513}) {
                    int first = random.nextInt(700 - rows + 1);
                    float[][] some = product(values, columns, first, rows, weight, outputs);
                    assertThat(some).isEqualTo(Arrays.copyOfRange(whole, first, first + rows));
                }
            }
        }
    }

    private float[][] product(float[] values, int columns, int first, int rows, Weight weight, int outputs) {
        float[] part = Arrays.copyOfRange(values, first * columns, (first + rows) * columns);
        var in = KernelPair.filled(kernels, Tensors.matrix(DType.F32, rows, columns, part));
        var out = kernels.allocate(rows, outputs);
        kernels.multiply(out, in, rows, weight, null, false);
        return rows(out, rows);
    }

    @Test
    void attentionIsTheSameInOneStepOrTokenByTokenOrInChunks() {
        for (var format : KvFormat.values()) {
            for (int window : new int[] {0, 70}) {
                var shape = new AttentionShape(6, 2, 40, 0.2f, window, 0);
                float[] key = Tensors.gaussian(200 * 80, 1, random);
                float[] value = Tensors.gaussian(200 * 80, 1, random);
                float[] query = Tensors.gaussian(200 * 240, 1, random);
                float[][] whole = attend(shape, format, key, value, query, new int[] {0, 200});
                int[] tokenByToken = IntStream.rangeClosed(0, 200).toArray();
                assertThat(attend(shape, format, key, value, query, tokenByToken))
                        .isEqualTo(whole);
                int[] chunks = {0, 3, 64, 65, 127, 170, 200};
                assertThat(attend(shape, format, key, value, query, chunks)).isEqualTo(whole);
            }
        }
    }

    /** All rows of one sequence, computed in steps [borders[i], borders[i + 1]). */
    private float[][] attend(
            AttentionShape shape, KvFormat format, float[] key, float[] value, float[] query, int[] borders) {
        var kv = kernels.allocateKv(new KvLayout(1, 2, 40, 40, 16, format), 13);
        var result = new float[200][];
        for (int i = 0; i + 1 < borders.length; i++) {
            int from = borders[i];
            int to = borders[i + 1];
            var batch = new Batch(200, 1);
            batch.add(new int[to], from, to, IntStream.range(0, 13).toArray(), to);
            var out = kernels.allocate(to - from, 240);
            kernels.writeKv(kv, 0, slice(key, 80, from, to), slice(value, 80, from, to), batch);
            kernels.attend(out, slice(query, 240, from, to), kv, 0, batch, shape);
            System.arraycopy(rows(out, to - from), 0, result, from, to - from);
        }
        return result;
    }

    private Matrix slice(float[] values, int columns, int from, int to) {
        float[] part = Arrays.copyOfRange(values, from * columns, to * columns);
        return KernelPair.filled(kernels, Tensors.matrix(DType.F32, to - from, columns, part));
    }

    private static float[][] rows(Matrix matrix, int rows) {
        var values = new float[rows][matrix.columns()];
        for (int r = 0; r < rows; r++) {
            matrix.read(r, values[r]);
        }
        return values;
    }
}
