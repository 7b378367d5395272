package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The narrow interface that forward passes are written against. CPU and CUDA implement it; {@code ReferenceKernels},
 * plain and obvious, is the oracle of both.
 *
 * <p>Matrices are [rows, columns] with one row per token; {@code rows} is how many of them to compute. Operations are
 * issued by one thread and take effect in order; an implementation may run them later, until a {@link Matrix#read}.
 * Shapes are checked by every operation: a mismatch throws IllegalArgumentException naming both.
 */
public interface Kernels extends AutoCloseable {
    /** For people, such as "cpu (oneDNN f32, Vector API 256 bit, 2 threads)". */
    String describe();

    /**
     * Names what the bits of keys and values depend on besides model and element type. Kernels of one name compute the same
     * bits where they are deterministic, and nearly the same where they are not.
     */
    String numerics();

    /** Zeroed activations. */
    Matrix allocate(int rowsMax, int columns);

    /** Zeroed activations that are floats whatever the type of others: logits. */
    default Matrix allocateFloats(int rowsMax, int columns) {
        return allocate(rowsMax, columns);
    }

    /** Zeroed activations of so many columns each, to be computed from one input. */
    default MatrixGroup allocateGroup(int rowsMax, int... columns) {
        return new MatrixGroup(
                Arrays.stream(columns)
                        .mapToObj(count -> allocate(rowsMax, count))
                        .toList(),
                null);
    }

    /** Makes a stored tensor computable, in its stored type; mapped memory stays mapped. */
    Weight load(Tensor tensor);

    /** Columns [from, from + count) of a stored matrix as a weight of its own. */
    default Weight loadColumns(Tensor tensor, int from, int count) {
        int bytes = tensor.dtype().bytes();
        var columns = Arena.ofAuto().allocate((long) tensor.rows() * count * bytes, 64);
        for (int row = 0; row < tensor.rows(); row++) {
            long first = ((long) row * tensor.columns() + from) * bytes;
            MemorySegment.copy(tensor.data(), first, columns, (long) row * count * bytes, (long) count * bytes);
        }
        return load(new Tensor(tensor.name(), tensor.dtype(), List.of(tensor.rows(), count), columns));
    }

    /** Rows [from, from + count) of a loaded matrix, in the same memory. */
    Weight rows(Weight weight, int from, int count);

    /** One weight of the rows, or elements, of all; null where a device computes with them one by one. */
    default @Nullable Weight join(List<Weight> weights) {
        return null;
    }

    /** A weight of random numbers, uniform in [middle - bound, middle + bound): a function of seed and shape. */
    default Weight random(DType type, int rows, int columns, float middle, float bound, long seed) {
        var data = Arena.ofAuto().allocate((long) rows * columns * type.bytes(), 64);
        var random = new SplittableRandom(seed);
        for (long i = 0; i < (long) rows * columns; i++) {
            StoredFloats.set(data, type, i, middle + bound * (2 * random.nextFloat() - 1));
        }
        return load(new Tensor("random", type, rows == 1 ? List.of(columns) : List.of(rows, columns), data));
    }

    /** Bytes of device memory that are left for weights, activations and KV blocks; empty where that is the host's. */
    default OptionalLong freeBytes() {
        return OptionalLong.empty();
    }

    /**
     * Bytes of copies of weights that will be made for products, beside the stored weights.
     *
     * @param weightBytes of all matrices that are multiplied with
     * @param mapped whether stored weights are mapped from a file: what is read from copies alone then needs no memory
     */
    default long copyBytes(DType type, long weightBytes, boolean mapped) {
        return 0;
    }

    /** All KV blocks of a worker. */
    KvStorage allocateKv(KvLayout layout, int blockCount);

    /** out[r] = table[ids[r]] * scale. */
    void embed(Matrix out, int rows, Weight table, int[] ids, float scale);

    /** out[r] = (accumulate ? out[r] : 0) + in[r] . weight^T + bias. Weight is [out columns, in columns]. */
    void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate);

    /**
     * activation(gate) * up, of a weight that {@link #join} made of gate and up. Returns where the result is: in the memory
     * of {@code outs}, which is undefined otherwise.
     */
    default Matrix multiplyGated(MatrixGroup outs, Matrix in, int rows, Weight weight, Activation activation) {
        var whole = outs.whole();
        if (whole == null) {
            throw new IllegalArgumentException("a joined weight needs a whole matrix to write to");
        }
        multiply(whole, in, rows, weight, null, false);
        gate(outs.parts().getFirst(), outs.parts().getLast(), rows, activation);
        return outs.parts().getFirst();
    }

    /**
     * Root-mean-square norm (arXiv:1910.07467) over groups of columns: {@code columns = groups * weight length}; one
     * group for a layer norm, one per head for query and key norms. out = in / rms(in) * (weightOffset + weight).
     */
    void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset);

    /** Layer norm with optional bias. */
    void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon);

    /** Rotates, in place, the first {@code 2 * inverseFrequencies.length} elements of each head of each row. */
    void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions);

    /** Writes each row's key and value heads into its slot of its sequence's blocks. */
    void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch);

    /** Rotates queries and keys, then writes keys and values. Afterwards {@code key} is undefined. */
    default void rotateAndWriteKv(
            Matrix query,
            Matrix key,
            Matrix value,
            @Nullable RotaryTable rotary,
            KvStorage kv,
            int layer,
            Batch batch) {
        if (rotary != null) {
            rotate(query, batch.rowCount, kv.layout().keySize(), rotary, batch.positions);
            rotate(key, batch.rowCount, kv.layout().keySize(), rotary, batch.positions);
        }
        writeKv(kv, layer, key, value, batch);
    }

    /**
     * Causal attention of all rows of a batch over their sequences' blocks (PagedAttention, arXiv:2309.06180), keys and
     * values of the rows themselves included, which were written before.
     */
    void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape);

    /** gate[r] = activation(gate[r]) * up[r]. */
    void gate(Matrix gate, Matrix up, int rows, Activation activation);

    /** x[r] = activation(x[r]). */
    void activate(Matrix x, int rows, Activation activation);

    /** out[r] = out[r] + in[r] * scale. */
    void add(Matrix out, Matrix in, int rows, float scale);

    /** x[r] = softcap * tanh(x[r] * scale / softcap), or x[r] * scale where softcap is 0. */
    void scale(Matrix x, int rows, float scale, float softcap);

    /** out[i] = in[indices[from + i]] for i in [0, count). */
    void gather(Matrix out, Matrix in, int[] indices, int from, int count);

    /** out[r] = table[positions[r] + offset] + out[r]: learned positions (GPT-2). */
    void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset);

    /** Of one set of kernels once, where {@link #runsAhead} is asked for. */
    default Choices allocateChoices(int rowsMax) {
        return new HostChoices();
    }

    /**
     * Whether {@link #compute} only issues a step, so that the next may be issued before this one's tokens are known: its
     * batch then refers to them by {@link Batch#follow}.
     */
    default boolean runsAhead() {
        return false;
    }

    /** Finds each row's largest logit; of equals, that of the lowest id. */
    default void chooseLargest(Choices choices, Matrix logits, int rows) {
        ((HostChoices) choices).choose(logits);
    }

    /** Room for draws from so many rows, with so many changed logits; null where tokens are drawn on the host alone. */
    default @Nullable Draws allocateDraws(int requestsMax, int entriesMax) {
        return null;
    }

    /** Draws tokens by chance; they replace what {@link #chooseLargest} chose for their rows. Logits are as before. */
    default void draw(Choices choices, Matrix logits, Draws draws) {
        throw new UnsupportedOperationException("tokens are drawn on the host");
    }

    /** Room for log-probabilities of so many rows; null where they are made on the host alone. */
    default @Nullable Scores allocateScores(int rowsMax) {
        return null;
    }

    /**
     * Starts to find log-probabilities, one row or more, of logits as they are and of tokens that were chosen, and to bring them
     * to the host. What the call before brings stays valid until the next.
     */
    default Scores.Reading score(Choices choices, Matrix logits, Scores scores) {
        throw new UnsupportedOperationException("log-probabilities are made on the host");
    }

    /**
     * Makes ready what {@link #compute} needs: copies of weights, or a record of the steps that generate one token for each
     * of several sequences, so that their operations need not be issued one by one.
     *
     * @param batch to be filled for {@code forward}; empty afterwards
     * @param forward as in {@link #compute}; it may be run, over block 0 of each sequence
     */
    default void prepare(Batch batch, Runnable forward, PreparationProgress progress) {}

    /**
     * Computes a step. What {@code forward} issues depends on the numbers of rows and sequences alone; all else it finds in
     * {@code batch}.
     */
    default void compute(Batch batch, Runnable forward) {
        forward.run();
    }

    /** Copies a whole block, all layers: copy-on-write. */
    void copyBlock(KvStorage kv, int fromBlock, int toBlock);

    @Override
    void close();
}
