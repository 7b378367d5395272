package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.Tensor;
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

    /** Zeroed activations. */
    Matrix allocate(int rowsMax, int columns);

    /** Makes a stored tensor computable, in its stored type; mapped memory stays mapped. */
    Weight load(Tensor tensor);

    /** All KV blocks of a worker. */
    KvStorage allocateKv(KvLayout layout, int blockCount);

    /** out[r] = table[ids[r]] * scale. */
    void embed(Matrix out, int rows, Weight table, int[] ids, float scale);

    /** out[r] = (accumulate ? out[r] : 0) + in[r] . weight^T + bias. Weight is [out columns, in columns]. */
    void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate);

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

    /** out[i] = in[indices[i]] for i in [0, count). */
    void gather(Matrix out, Matrix in, int[] indices, int count);

    /** out[r] = table[positions[r] + offset] + out[r]: learned positions (GPT-2). */
    void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset);

    /** Copies a whole block, all layers: copy-on-write. */
    void copyBlock(KvStorage kv, int fromBlock, int toBlock);

    @Override
    void close();
}
