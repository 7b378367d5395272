package dev.kvasir.worker.kernel;

/** The shape rules of {@link Kernels} operations, in one place for all implementations. */
public final class KernelShapes {
    private KernelShapes() {}

    public static void embed(Matrix out, int rows, Weight table, int[] ids) {
        embedFollowing(out, rows, table);
        indices("token id", ids, rows, table.rows());
    }

    /** The same where some ids are not known to the host. */
    public static void embedFollowing(Matrix out, int rows, Weight table) {
        rows(out, rows);
        equal("embedding columns", table.columns(), "output columns", out.columns());
    }

    public static void multiply(Matrix out, Matrix in, int rows, Weight weight) {
        rows(out, rows);
        rows(in, rows);
        equal("weight columns", weight.columns(), "input columns", in.columns());
        equal("weight rows", weight.rows(), "output columns", out.columns());
        distinct("multiply", out, in);
    }

    public static void bias(Matrix out, Weight bias) {
        vector("bias", bias, out.columns());
    }

    /** Groups of a norm over {@code groups * weight length} columns. */
    public static int rmsNorm(Matrix out, Matrix in, int rows, Weight weight) {
        sameColumns(out, in, rows);
        if (weight.rows() != 1 || weight.columns() == 0 || in.columns() % weight.columns() != 0) {
            throw new IllegalArgumentException("norm weight of [%d, %d] does not divide %d columns"
                    .formatted(weight.rows(), weight.columns(), in.columns()));
        }
        return in.columns() / weight.columns();
    }

    public static void layerNorm(Matrix out, Matrix in, int rows, Weight weight) {
        sameColumns(out, in, rows);
        vector("norm weight", weight, in.columns());
    }

    public static void vector(String name, Weight weight, int length) {
        if (weight.rows() != 1) {
            throw new IllegalArgumentException(
                    "%s is a matrix of [%d, %d], not a vector".formatted(name, weight.rows(), weight.columns()));
        }
        equal(name + " length", weight.columns(), "columns", length);
    }

    public static void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        rows(heads, rows);
        if (headSize <= 0 || heads.columns() % headSize != 0) {
            throw new IllegalArgumentException(
                    "head size %d does not divide %d columns".formatted(headSize, heads.columns()));
        }
        if (2 * rotary.inverseFrequencies().length > headSize) {
            throw new IllegalArgumentException("rotary part of %d elements exceeds head size %d"
                    .formatted(2 * rotary.inverseFrequencies().length, headSize));
        }
        indices("position", positions, rows, Integer.MAX_VALUE);
    }

    public static void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch) {
        var layout = kv.layout();
        rows(key, batch.rowCount);
        rows(value, batch.rowCount);
        equal("key columns", key.columns(), "KV heads times key size", layout.kvHeadCount() * layout.keySize());
        equal("value columns", value.columns(), "KV heads times value size", layout.kvHeadCount() * layout.valueSize());
        batch(kv, layer, batch);
    }

    public static void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape) {
        var layout = kv.layout();
        rows(out, batch.rowCount);
        rows(query, batch.rowCount);
        equal("KV heads of the layer", shape.kvHeadCount(), "KV heads of the cache", layout.kvHeadCount());
        equal("head size", shape.headSize(), "key size of the cache", layout.keySize());
        equal("query columns", query.columns(), "heads times head size", shape.headCount() * shape.headSize());
        equal("output columns", out.columns(), "heads times value size", shape.headCount() * layout.valueSize());
        if (shape.headCount() % shape.kvHeadCount() != 0) {
            throw new IllegalArgumentException(
                    "%d query heads are no multiple of %d KV heads".formatted(shape.headCount(), shape.kvHeadCount()));
        }
        batch(kv, layer, batch);
    }

    private static void batch(KvStorage kv, int layer, Batch batch) {
        index("layer", layer, kv.layout().layerCount());
        int blockSize = kv.layout().blockSize();
        for (int s = 0; s < batch.sequenceCount; s++) {
            int[] table = batch.blockTables[s];
            int context = batch.contextLength[s];
            int blocks = Math.ceilDiv(context, blockSize);
            if (batch.rowStart[s + 1] - batch.rowStart[s] > context || table.length < blocks) {
                throw new IllegalArgumentException("sequence %d has %d rows, context %d and %d blocks of %d tokens"
                        .formatted(s, batch.rowStart[s + 1] - batch.rowStart[s], context, table.length, blockSize));
            }
            indices("block", table, blocks, kv.blockCount());
        }
    }

    public static void sameColumns(Matrix out, Matrix in, int rows) {
        rows(out, rows);
        rows(in, rows);
        equal("input columns", in.columns(), "output columns", out.columns());
    }

    public static void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        rows(out, count);
        equal("input columns", in.columns(), "output columns", out.columns());
        if (from < 0 || indices.length - count < from) {
            throw new IllegalArgumentException(
                    "%d rows where [%d, %d) are needed".formatted(indices.length, from, from + count));
        }
        for (int i = from; i < from + count; i++) {
            index("row", indices[i], in.rowsMax());
        }
        distinct("gather", out, in);
    }

    public static void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        rows(out, rows);
        equal("position columns", table.columns(), "output columns", out.columns());
        if (positions.length < rows) {
            throw new IllegalArgumentException("%d positions for %d rows".formatted(positions.length, rows));
        }
        for (int r = 0; r < rows; r++) {
            index("position with offset", positions[r] + offset, table.rows());
        }
    }

    /** Rows of a matrix of weights. */
    public static void part(Weight weight, int from, int count) {
        if (from < 0 || count < 1 || from > weight.rows() - count) {
            throw new IllegalArgumentException(
                    "rows [%d, %d) of a weight of %d rows".formatted(from, from + count, weight.rows()));
        }
    }

    public static void copyBlock(KvStorage kv, int fromBlock, int toBlock) {
        index("block", fromBlock, kv.blockCount());
        index("block", toBlock, kv.blockCount());
    }

    public static void rows(Matrix matrix, int rows) {
        if (rows < 0 || rows > matrix.rowsMax()) {
            throw new IllegalArgumentException("%d rows of a matrix of at most %d".formatted(rows, matrix.rowsMax()));
        }
    }

    @SuppressWarnings("ReferenceEquality") // Whether it is the same memory, not equal contents.
    private static void distinct(String operation, Matrix out, Matrix in) {
        if (out == in) {
            throw new IllegalArgumentException(operation + " cannot write over its input");
        }
    }

    private static void indices(String name, int[] values, int count, int limit) {
        if (values.length < count) {
            throw new IllegalArgumentException("%d %ss where %d are needed".formatted(values.length, name, count));
        }
        for (int i = 0; i < count; i++) {
            index(name, values[i], limit);
        }
    }

    private static void index(String name, int value, int limit) {
        if (value < 0 || value >= limit) {
            throw new IllegalArgumentException("%s %d is outside [0, %d)".formatted(name, value, limit));
        }
    }

    private static void equal(String name, int value, String otherName, int other) {
        if (value != other) {
            throw new IllegalArgumentException("%s %d differ from %s %d".formatted(name, value, otherName, other));
        }
    }
}
