package dev.kvasir.worker.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.model.weights.DType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Operations whose results can be checked with a pencil. Run over every implementation on the host. */
public abstract class HandCalculatedKernels {
    private Kernels kernels = new ReferenceKernels();

    protected abstract Kernels create();

    @BeforeEach
    void open() {
        kernels = create();
    }

    @AfterEach
    void close() {
        kernels.close();
    }

    @Test
    void embedScalesRowsOfTheTable() {
        var table = kernels.load(Tensors.matrix(DType.BF16, 3, 2, 1, 2, 3, 4, 5, 6));
        var out = kernels.allocate(2, 2);
        kernels.embed(out, 2, table, new int[] {2, 0}, 0.5f);
        assertRows(out, new float[][] {{2.5f, 3}, {0.5f, 1}});
    }

    @Test
    void multiplyTakesInputsByWeightRows() {
        var in = matrix(new float[][] {{1, 2, 3}, {-1, 0, 1}});
        var weight = kernels.load(Tensors.matrix(DType.F16, 2, 3, 1, 0, 2, 0.5f, 1, -1));
        var bias = kernels.load(Tensors.vector(DType.F32, 10, 20));
        var out = kernels.allocate(2, 2);
        kernels.multiply(out, in, 2, weight, null, false);
        assertRows(out, new float[][] {{7, -0.5f}, {1, -1.5f}});
        kernels.multiply(out, in, 2, weight, bias, true);
        assertRows(out, new float[][] {{24, 19}, {12, 17}});
    }

    @Test
    void rmsNormDividesEachGroupByItsRootMeanSquare() {
        var x = matrix(new float[][] {{3, 4, 0, 2}});
        var weight = kernels.load(Tensors.vector(DType.F32, 1, 3));
        kernels.rmsNorm(x, x, 1, weight, 0, 1);
        float first = (float) Math.sqrt(12.5);
        float second = (float) Math.sqrt(2);
        assertRows(x, new float[][] {{6 / first, 16 / first, 0, 8 / second}});
    }

    @Test
    void layerNormSubtractsTheMean() {
        var in = matrix(new float[][] {{1, 3}});
        var weight = kernels.load(Tensors.vector(DType.F32, 2, 2));
        var bias = kernels.load(Tensors.vector(DType.F32, 5, 7));
        var out = kernels.allocate(1, 2);
        kernels.layerNorm(out, in, 1, weight, bias, 0);
        assertRows(out, new float[][] {{3, 9}});
    }

    @Test
    void rotateTurnsPairsByPositionTimesFrequency() {
        float quarter = (float) (Math.PI / 2);
        var halves = matrix(new float[][] {{1, 2, 3, 4, 5}});
        kernels.rotate(halves, 1, 5, new RotaryTable(new float[] {quarter, 0}, 1, false), new int[] {1});
        assertRows(halves, new float[][] {{-3, 2, 1, 4, 5}});
        var pairs = matrix(new float[][] {{1, 2, 3, 4}});
        kernels.rotate(pairs, 1, 4, new RotaryTable(new float[] {quarter, 0}, 2, true), new int[] {1});
        assertRows(pairs, new float[][] {{-4, 2, 6, 8}});
    }

    @Test
    void attentionWeighsValuesByScoresAndSeesOnlyItsWindow() {
        var kv = kernels.allocateKv(new KvLayout(1, 1, 1, 2, 2, DType.F32), 4);
        var batch = new Batch(3, 1);
        batch.add(new int[] {7, 8, 9}, 0, 3, new int[] {3, 1}, 3);
        var key = matrix(new float[][] {{0}, {(float) Math.log(3)}, {0}});
        var value = matrix(new float[][] {{1, 0}, {5, 4}, {9, 8}});
        kernels.writeKv(kv, 0, key, value, batch);
        var query = matrix(new float[][] {{1}, {1}, {1}});
        var out = kernels.allocate(3, 2);
        kernels.attend(out, query, kv, 0, batch, new AttentionShape(1, 1, 1, 1, 0, 0));
        assertRows(out, new float[][] {{1, 0}, {4, 3}, {5, 4}});
        kernels.attend(out, query, kv, 0, batch, new AttentionShape(1, 1, 1, 1, 2, 0));
        assertRows(out, new float[][] {{1, 0}, {4, 3}, {6, 5}});
    }

    @Test
    void copiedBlockAnswersLikeItsOrigin() {
        var kv = kernels.allocateKv(new KvLayout(2, 1, 1, 1, 1, DType.BF16), 3);
        var batch = new Batch(1, 1);
        batch.add(new int[] {0}, 0, 1, new int[] {2}, 1);
        kernels.writeKv(kv, 1, matrix(new float[][] {{1}}), matrix(new float[][] {{42}}), batch);
        kernels.copyBlock(kv, 2, 0);
        batch.clear();
        batch.add(new int[] {0}, 0, 1, new int[] {0}, 1);
        var out = kernels.allocate(1, 1);
        kernels.attend(out, matrix(new float[][] {{1}}), kv, 1, batch, new AttentionShape(1, 1, 1, 1, 0, 0));
        assertRows(out, new float[][] {{42}});
    }

    @Test
    void elementWiseOperationsFollowTheirFormulas() {
        var x = matrix(new float[][] {{0, 100, -100}});
        kernels.gate(x, matrix(new float[][] {{5, 2, 3}}), 1, Activation.SILU);
        assertRows(x, new float[][] {{0, 200, 0}});
        kernels.activate(x, 1, Activation.RELU);
        kernels.add(x, matrix(new float[][] {{1, 2, 3}}), 1, 0.5f);
        assertRows(x, new float[][] {{0.5f, 201, 1.5f}});
        kernels.scale(x, 1, 2, 0);
        assertRows(x, new float[][] {{1, 402, 3}});
        kernels.scale(x, 1, 1, 10);
        assertRows(x, new float[][] {{0.99668f, 10, 2.91313f}});
    }

    @Test
    void geluHasItsTabulatedValues() {
        var x = matrix(new float[][] {{-1, 0, 1, 2}});
        kernels.activate(x, 1, Activation.GELU);
        assertRows(x, new float[][] {{-0.158655f, 0, 0.841345f, 1.954500f}});
        var y = matrix(new float[][] {{-1, 0, 1, 2}});
        kernels.activate(y, 1, Activation.GELU_TANH);
        assertRows(y, new float[][] {{-0.158808f, 0, 0.841192f, 1.954598f}});
    }

    @Test
    void gatherPicksRowsAndPositionsAreAdded() {
        var out = kernels.allocate(2, 1);
        kernels.gather(out, matrix(new float[][] {{1}, {2}, {3}}), new int[] {2, 0}, 0, 2);
        assertRows(out, new float[][] {{3}, {1}});
        kernels.addPositions(out, 2, kernels.load(Tensors.matrix(DType.F32, 3, 1, 10, 20, 30)), new int[] {0, 1}, 1);
        assertRows(out, new float[][] {{23}, {31}});
    }

    @Test
    void mismatchedShapesAreNamed() {
        var weight = kernels.load(Tensors.matrix(DType.F32, 2, 3, new float[6]));
        assertThatThrownBy(
                        () -> kernels.multiply(kernels.allocate(1, 2), kernels.allocate(1, 4), 1, weight, null, false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("weight columns 3 differ from input columns 4");
        assertThatThrownBy(() -> kernels.embed(kernels.allocate(1, 3), 1, weight, new int[] {2}, 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("token id 2 is outside [0, 2)");
    }

    /** A matrix filled through the embedding operation, the only door from host values into activations. */
    private Matrix matrix(float[][] rows) {
        var values = new float[rows.length * rows[0].length];
        var ids = new int[rows.length];
        for (int r = 0; r < rows.length; r++) {
            System.arraycopy(rows[r], 0, values, r * rows[0].length, rows[0].length);
            ids[r] = r;
        }
        var table = kernels.load(Tensors.matrix(DType.F32, rows.length, rows[0].length, values));
        var matrix = kernels.allocate(rows.length, rows[0].length);
        kernels.embed(matrix, rows.length, table, ids, 1);
        return matrix;
    }

    private static void assertRows(Matrix actual, float[][] expected) {
        var row = new float[actual.columns()];
        for (int r = 0; r < expected.length; r++) {
            actual.read(r, row);
            // Single precision of a handful of operations.
            assertThat(row).containsExactly(expected[r], within(3e-6f * Math.max(1, largest(expected[r]))));
        }
    }

    private static float largest(float[] values) {
        float largest = 0;
        for (float value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }
}
