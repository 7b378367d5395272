package dev.kvasir.worker.runner;

import dev.kvasir.model.weights.Tensor;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Draws;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Scores;
import dev.kvasir.worker.kernel.Weight;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The plain-Java kernels made to look like a device: they choose, draw and score tokens themselves, from the lists that a device
 * is given, steps may be begun before the last one's tokens are known, and what the host reads stays valid for two calls. Rows of
 * logits that the host reads nonetheless are counted.
 */
final class DeviceKernels implements Kernels {
    private final ReferenceKernels plain = new ReferenceKernels();
    private int[] chosen = {};
    private float[] largest = {};
    int rowsRead;
    int rowsScored;

    /** A matrix that notices when the host reads it. */
    private final class Watched implements Matrix {
        private final Matrix matrix;

        Watched(Matrix matrix) {
            this.matrix = matrix;
        }

        @Override
        public int rowsMax() {
            return matrix.rowsMax();
        }

        @Override
        public int columns() {
            return matrix.columns();
        }

        @Override
        public void read(int row, float[] destination) {
            rowsRead++;
            matrix.read(row, destination);
        }
    }

    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record Chosen(int[] tokens, float[] logits) implements Choices.Reading {
        @Override
        public void await() {}

        @Override
        public int token(int row) {
            return tokens[row];
        }

        @Override
        public float logit(int row) {
            return logits[row];
        }
    }

    /** @param tokens by row; null where the logits of a row are of no use */
    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record Scored(@Nullable ScoredToken[] tokens, float[] largest) implements Scores.Reading {
        private ScoredToken of(int row) {
            var token = tokens[row];
            if (token == null) {
                throw new IllegalStateException("row %d was not scored".formatted(row));
            }
            return token;
        }

        @Override
        public void await() {}

        @Override
        public float largest(int row) {
            return largest[row];
        }

        @Override
        public int token(int row) {
            return of(row).token();
        }

        @Override
        public float logprob(int row) {
            return of(row).logprob();
        }

        @Override
        public int rank(int row) {
            return of(row).rank();
        }

        @Override
        public int topId(int row, int index) {
            return of(row).topIds()[index];
        }

        @Override
        public float topLogprob(int row, int index) {
            return of(row).topLogprobs()[index];
        }
    }

    private static Matrix plain(Matrix matrix) {
        return matrix instanceof Watched watched ? watched.matrix : matrix;
    }

    private static float[] row(Matrix logits, int row) {
        var values = new float[logits.columns()];
        plain(logits).read(row, values);
        return values;
    }

    @Override
    public boolean runsAhead() {
        return true;
    }

    @Override
    public Matrix allocateFloats(int rowsMax, int columns) {
        return new Watched(plain.allocate(rowsMax, columns));
    }

    @Override
    public Choices allocateChoices(int rowsMax) {
        chosen = new int[rowsMax];
        largest = new float[rowsMax];
        return rows -> new Chosen(Arrays.copyOf(chosen, rows), Arrays.copyOf(largest, rows));
    }

    @Override
    public void chooseLargest(Choices choices, Matrix logits, int rows) {
        for (int row = 0; row < rows; row++) {
            var values = row(logits, row);
            chosen[row] = 0;
            for (int id = 0; id < values.length; id++) {
                chosen[row] = values[id] > values[chosen[row]] ? id : chosen[row];
            }
            largest[row] = values[chosen[row]];
        }
    }

    @Override
    public Draws allocateDraws(int requestsMax, int entriesMax) {
        return new Draws(requestsMax, entriesMax);
    }

    @Override
    public void draw(Choices choices, Matrix logits, Draws draws) {
        for (int i = 0; i < draws.count(); i++) {
            int[] q = Arrays.copyOfRange(draws.requests(), i * Draws.WORDS, (i + 1) * Draws.WORDS);
            var values = row(logits, q[0]);
            adjust(values, q, draws.ids(), draws.values());
            float temperature = q[5] == 1 ? 0 : 1 / Float.intBitsToFloat(q[1]);
            var parameters = new SamplingParameters(
                    1,
                    0,
                    temperature,
                    Float.intBitsToFloat(q[3]),
                    q[2],
                    Float.intBitsToFloat(q[4]),
                    1,
                    0,
                    0,
                    Map.of(),
                    Set.of(),
                    true,
                    0,
                    1,
                    -1,
                    -1);
            var state = new SamplingState(parameters, 0, new int[0], values.length, new int[0]);
            double uniform = Double.longBitsToDouble(Integer.toUnsignedLong(q[7]) << 32 | Integer.toUnsignedLong(q[6]));
            chosen[q[0]] = new Sampler(values.length).choose(values, state, 0, uniform);
            largest[q[0]] = values[chosen[q[0]]];
        }
    }

    private static void adjust(float[] values, int[] q, int[] ids, int[] words) {
        for (int i = q[8]; i < q[9]; i++) {
            values[ids[i]] += Float.intBitsToFloat(words[i]);
        }
        for (int i = q[9]; i < q[10]; i++) {
            values[ids[i]] = Float.NEGATIVE_INFINITY;
        }
        for (int i = q[10]; i < q[11]; i++) {
            float logit = values[ids[i]];
            float repetition = Float.intBitsToFloat(q[12]);
            logit = logit > 0 ? logit / repetition : logit * repetition;
            if (words[i] > 0) {
                logit -= Float.intBitsToFloat(q[13]) * words[i];
                logit -= Float.intBitsToFloat(q[14]);
            }
            values[ids[i]] = logit;
        }
    }

    @Override
    public Scores allocateScores(int rowsMax) {
        return new Scores(rowsMax);
    }

    @Override
    public Scores.Reading score(Choices choices, Matrix logits, Scores scores) {
        var tokens = new ScoredToken[scores.rowsMax()];
        var maxima = new float[scores.rowsMax()];
        var sampler = new Sampler(logits.columns());
        for (int i = 0; i < scores.count(); i++) {
            int row = scores.row(i);
            int token = scores.token(i) == Scores.CHOSEN ? chosen[row] : scores.token(i);
            tokens[row] = sampler.score(row(logits, row), token, scores.topCount(i));
            rowsScored++;
        }
        return new Scored(tokens, maxima);
    }

    /** Ids that stand for choices are those of the step before: nothing has been chosen since. */
    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        var known = Arrays.copyOf(ids, rows);
        for (int i = 0; i < rows; i++) {
            known[i] = ids[i] < 0 ? chosen[-1 - ids[i]] : ids[i];
        }
        plain.embed(plain(out), rows, table, known, scale);
    }

    @Override
    public String describe() {
        return "like a device, but plain Java";
    }

    @Override
    public String numerics() {
        return plain.numerics();
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        return plain.allocate(rowsMax, columns);
    }

    @Override
    public Weight load(Tensor tensor) {
        return plain.load(tensor);
    }

    @Override
    public Weight rows(Weight weight, int from, int count) {
        return plain.rows(weight, from, count);
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        return plain.allocateKv(layout, blockCount);
    }

    @Override
    public void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate) {
        plain.multiply(plain(out), plain(in), rows, weight, bias, accumulate);
    }

    @Override
    public void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset) {
        plain.rmsNorm(out, in, rows, weight, epsilon, weightOffset);
    }

    @Override
    public void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon) {
        plain.layerNorm(out, in, rows, weight, bias, epsilon);
    }

    @Override
    public void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        plain.rotate(heads, rows, headSize, rotary, positions);
    }

    @Override
    public void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch) {
        plain.writeKv(kv, layer, key, value, batch);
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape) {
        plain.attend(out, query, kv, layer, batch, shape);
    }

    @Override
    public void gate(Matrix gate, Matrix up, int rows, Activation activation) {
        plain.gate(gate, up, rows, activation);
    }

    @Override
    public void activate(Matrix x, int rows, Activation activation) {
        plain.activate(x, rows, activation);
    }

    @Override
    public void add(Matrix out, Matrix in, int rows, float scale) {
        plain.add(out, in, rows, scale);
    }

    @Override
    public void scale(Matrix x, int rows, float scale, float softcap) {
        plain.scale(plain(x), rows, scale, softcap);
    }

    @Override
    public void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        plain.gather(out, in, indices, from, count);
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        plain.addPositions(out, rows, table, positions, offset);
    }

    @Override
    public void copyBlock(KvStorage kv, int fromBlock, int toBlock) {
        plain.copyBlock(kv, fromBlock, toBlock);
    }

    @Override
    public void close() {
        plain.close();
    }
}
