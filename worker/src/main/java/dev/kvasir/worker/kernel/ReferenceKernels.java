package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The oracle: every operation as its definition reads, on one thread, sums in double. Slow, and able to run anything.
 */
public final class ReferenceKernels implements Kernels {
    private final Arena arena = Arena.ofShared();

    @SuppressWarnings("ArrayRecordComponent") // Never compared.
    private record HostMatrix(int rowsMax, int columns, float[] values) implements Matrix {
        @Override
        public void read(int row, float[] destination) {
            System.arraycopy(values, row * columns, destination, 0, columns);
        }

        float get(int row, int column) {
            return values[row * columns + column];
        }

        void set(int row, int column, double value) {
            values[row * columns + column] = (float) value;
        }
    }

    private record HostWeight(int rows, int columns, DType dtype, MemorySegment data) implements Weight {
        float get(int row, int column) {
            return StoredFloats.get(data, dtype, (long) row * columns + column);
        }
    }

    @Override
    public String describe() {
        return "reference (plain Java, 1 thread)";
    }

    @Override
    public String numerics() {
        return "reference";
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        return new HostMatrix(rowsMax, columns, new float[Math.multiplyExact(rowsMax, columns)]);
    }

    @Override
    public Weight load(Tensor tensor) {
        return new HostWeight(tensor.rows(), tensor.columns(), tensor.dtype(), tensor.data());
    }

    @Override
    public Weight rows(Weight weight, int from, int count) {
        KernelShapes.part(weight, from, count);
        var all = host(weight);
        long bytes = (long) all.columns() * all.dtype().bytes();
        return new HostWeight(count, all.columns(), all.dtype(), all.data().asSlice(from * bytes, count * bytes));
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        return new HostKv(layout, blockCount, arena.allocate(layout.bytesPerBlock() * blockCount, 64));
    }

    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        KernelShapes.embed(out, rows, table, ids);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < out.columns(); c++) {
                host(out).set(r, c, host(table).get(ids[r], c) * scale);
            }
        }
    }

    @Override
    public void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate) {
        KernelShapes.multiply(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        var x = host(in);
        var w = host(weight);
        for (int output = 0; output < weight.rows(); output++) {
            float[] weightRow = row(w, output);
            for (int r = 0; r < rows; r++) {
                double sum = bias == null ? 0 : host(bias).get(0, output);
                for (int k = 0; k < weightRow.length; k++) {
                    sum += (double) x.get(r, k) * weightRow[k];
                }
                host(out).set(r, output, accumulate ? host(out).get(r, output) + sum : sum);
            }
        }
    }

    private static float[] row(HostWeight weight, int row) {
        var values = new float[weight.columns()];
        for (int c = 0; c < values.length; c++) {
            values[c] = weight.get(row, c);
        }
        return values;
    }

    @Override
    public void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset) {
        int groups = KernelShapes.rmsNorm(out, in, rows, weight);
        int size = weight.columns();
        for (int r = 0; r < rows; r++) {
            for (int first = 0; first < groups * size; first += size) {
                double squares = 0;
                for (int c = 0; c < size; c++) {
                    squares += (double) host(in).get(r, first + c) * host(in).get(r, first + c);
                }
                double scale = 1 / Math.sqrt(squares / size + epsilon);
                for (int c = 0; c < size; c++) {
                    double value = host(in).get(r, first + c) * scale;
                    host(out)
                            .set(
                                    r,
                                    first + c,
                                    value * (weightOffset + host(weight).get(0, c)));
                }
            }
        }
    }

    @Override
    public void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon) {
        KernelShapes.layerNorm(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        int columns = in.columns();
        for (int r = 0; r < rows; r++) {
            double mean = 0;
            for (int c = 0; c < columns; c++) {
                mean += host(in).get(r, c) / (double) columns;
            }
            double variance = 0;
            for (int c = 0; c < columns; c++) {
                double difference = host(in).get(r, c) - mean;
                variance += difference * difference / columns;
            }
            double scale = 1 / Math.sqrt(variance + epsilon);
            for (int c = 0; c < columns; c++) {
                double shift = bias == null ? 0 : host(bias).get(0, c);
                host(out)
                        .set(
                                r,
                                c,
                                (host(in).get(r, c) - mean)
                                                * scale
                                                * host(weight).get(0, c)
                                        + shift);
            }
        }
    }

    @Override
    public void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        KernelShapes.rotate(heads, rows, headSize, rotary, positions);
        float[] frequencies = rotary.inverseFrequencies();
        var x = host(heads);
        for (int r = 0; r < rows; r++) {
            for (int head = 0; head < heads.columns(); head += headSize) {
                for (int i = 0; i < frequencies.length; i++) {
                    int a = head + (rotary.interleaved() ? 2 * i : i);
                    int b = head + (rotary.interleaved() ? 2 * i + 1 : i + frequencies.length);
                    // In float, as the models were trained: position times frequency is rounded before the cosine.
                    float angle = positions[r] * frequencies[i];
                    double cosine = Math.cos(angle) * rotary.attentionFactor();
                    double sine = Math.sin(angle) * rotary.attentionFactor();
                    double first = x.get(r, a);
                    double second = x.get(r, b);
                    x.set(r, a, first * cosine - second * sine);
                    x.set(r, b, second * cosine + first * sine);
                }
            }
        }
    }

    @Override
    public void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch) {
        KernelShapes.writeKv(kv, layer, key, value, batch);
        var storage = host(kv);
        var layout = kv.layout();
        for (int s = 0; s < batch.sequenceCount; s++) {
            int[] table = batch.blockTables[s];
            int offset = batch.contextLength[s] - batch.rowStart[s + 1];
            for (int r = batch.rowStart[s]; r < batch.rowStart[s + 1]; r++) {
                for (int head = 0; head < layout.kvHeadCount(); head++) {
                    storage.writeKey(layer, table, head, r + offset, head(host(key), r, head, layout.keySize()));
                    storage.writeValue(layer, table, head, r + offset, head(host(value), r, head, layout.valueSize()));
                }
            }
        }
    }

    private static float[] head(HostMatrix matrix, int row, int head, int size) {
        int from = row * matrix.columns() + head * size;
        return Arrays.copyOfRange(matrix.values(), from, from + size);
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape) {
        KernelShapes.attend(out, query, kv, layer, batch, shape);
        for (int s = 0; s < batch.sequenceCount; s++) {
            int offset = batch.contextLength[s] - batch.rowStart[s + 1];
            int[] table = batch.blockTables[s];
            // Rows write to different places; the checks of a GPU would take minutes on one thread.
            IntStream.range(batch.rowStart[s], batch.rowStart[s + 1]).parallel().forEach(row -> {
                int position = row + offset;
                int first = shape.window() == 0 ? 0 : Math.max(0, position + 1 - shape.window());
                for (int head = 0; head < shape.headCount(); head++) {
                    attendHead(host(out), host(query), host(kv), layer, table, shape, row, head, first, position);
                }
            });
        }
    }

    /** One query head of one row over positions [first, last]. */
    private static void attendHead(
            HostMatrix out,
            HostMatrix query,
            HostKv kv,
            int layer,
            int[] table,
            AttentionShape shape,
            int row,
            int head,
            int first,
            int last) {
        int kvHead = head / (shape.headCount() / shape.kvHeadCount());
        int size = shape.headSize();
        var weights = new double[last - first + 1];
        var key = new float[size];
        for (int p = first; p <= last; p++) {
            kv.readKey(layer, table, kvHead, p, key);
            double score = 0;
            for (int i = 0; i < size; i++) {
                score += (double) query.get(row, head * size + i) * key[i];
            }
            weights[p - first] = capped(score * shape.scale(), shape.softcap());
        }
        double max = Arrays.stream(weights).max().orElseThrow();
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            weights[i] = Math.exp(weights[i] - max);
            sum += weights[i];
        }
        var value = new float[kv.layout().valueSize()];
        var result = new double[value.length];
        for (int p = first; p <= last; p++) {
            kv.readValue(layer, table, kvHead, p, value);
            for (int i = 0; i < value.length; i++) {
                result[i] += weights[p - first] * value[i];
            }
        }
        for (int i = 0; i < value.length; i++) {
            out.set(row, head * value.length + i, result[i] / sum);
        }
    }

    private static double capped(double x, float softcap) {
        return softcap == 0 ? x : softcap * Math.tanh(x / softcap);
    }

    @Override
    public void gate(Matrix gate, Matrix up, int rows, Activation activation) {
        KernelShapes.sameColumns(gate, up, rows);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < gate.columns(); c++) {
                host(gate).set(r, c, apply(activation, host(gate).get(r, c)) * host(up).get(r, c));
            }
        }
    }

    @Override
    public void activate(Matrix x, int rows, Activation activation) {
        KernelShapes.rows(x, rows);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < x.columns(); c++) {
                host(x).set(r, c, apply(activation, host(x).get(r, c)));
            }
        }
    }

    private static double apply(Activation activation, double x) {
        return switch (activation) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> 0.5 * x * (1 + errorFunction(x / Math.sqrt(2)));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> Math.max(0, x);
        };
    }

    /** Abramowitz and Stegun 7.1.6, whose terms are all of one sign; beyond 6 the result rounds to 1. */
    private static double errorFunction(double x) {
        if (!(Math.abs(x) < 6)) {
            return Double.isNaN(x) ? x : Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    @Override
    public void add(Matrix out, Matrix in, int rows, float scale) {
        KernelShapes.sameColumns(out, in, rows);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < out.columns(); c++) {
                host(out).set(r, c, host(out).get(r, c) + (double) host(in).get(r, c) * scale);
            }
        }
    }

    @Override
    public void scale(Matrix x, int rows, float scale, float softcap) {
        KernelShapes.rows(x, rows);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < x.columns(); c++) {
                host(x).set(r, c, capped((double) host(x).get(r, c) * scale, softcap));
            }
        }
    }

    @Override
    public void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        KernelShapes.gather(out, in, indices, from, count);
        int columns = in.columns();
        for (int i = 0; i < count; i++) {
            System.arraycopy(
                    host(in).values(), indices[from + i] * columns, host(out).values(), i * columns, columns);
        }
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        KernelShapes.addPositions(out, rows, table, positions, offset);
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < out.columns(); c++) {
                host(out).set(r, c, (double) host(out).get(r, c) + host(table).get(positions[r] + offset, c));
            }
        }
    }

    @Override
    public void copyBlock(KvStorage kv, int fromBlock, int toBlock) {
        KernelShapes.copyBlock(kv, fromBlock, toBlock);
        var layout = kv.layout();
        for (int layer = 0; layer < layout.layerCount(); layer++) {
            long from = layout.block(kv.blockCount(), layer, fromBlock);
            long to = layout.block(kv.blockCount(), layer, toBlock);
            MemorySegment.copy(host(kv).data(), from, host(kv).data(), to, layout.bytesPerLayerBlock());
        }
    }

    @Override
    public void close() {
        arena.close();
    }

    private static HostMatrix host(Matrix matrix) {
        return (HostMatrix) matrix;
    }

    private static HostWeight host(Weight weight) {
        return (HostWeight) weight;
    }

    private static HostKv host(KvStorage kv) {
        return (HostKv) kv;
    }
}
