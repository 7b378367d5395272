package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Weight;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Kernels that add up the time of each operation; products count by the shape of their weight. */
final class TimedKernels implements Kernels {
    private final Kernels kernels;
    private final Map<String, Long> nanos = new TreeMap<>();

    TimedKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    /** Milliseconds of each operation since the last call, divided by a number of steps. */
    String breakdown(int steps) {
        String text = nanos.entrySet().stream()
                .map(e -> "%s %.2f".formatted(e.getKey(), e.getValue() * 1e-6 / steps))
                .collect(Collectors.joining(", "));
        nanos.clear();
        return text;
    }

    private void timed(String operation, Runnable run) {
        long start = System.nanoTime();
        run.run();
        nanos.merge(operation, System.nanoTime() - start, Long::sum);
    }

    @Override
    public String describe() {
        return kernels.describe();
    }

    @Override
    public String numerics() {
        return kernels.numerics();
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        return kernels.allocate(rowsMax, columns);
    }

    @Override
    public Weight load(Tensor tensor) {
        return kernels.load(tensor);
    }

    @Override
    public Weight rows(Weight weight, int from, int count) {
        return kernels.rows(weight, from, count);
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        return kernels.allocateKv(layout, blockCount);
    }

    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        timed("embed", () -> kernels.embed(out, rows, table, ids, scale));
    }

    @Override
    public void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate) {
        String what = "product %dx%d".formatted(out.columns(), in.columns());
        timed(what, () -> kernels.multiply(out, in, rows, weight, bias, accumulate));
    }

    @Override
    public void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset) {
        timed("norm", () -> kernels.rmsNorm(out, in, rows, weight, epsilon, weightOffset));
    }

    @Override
    public void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon) {
        timed("norm", () -> kernels.layerNorm(out, in, rows, weight, bias, epsilon));
    }

    @Override
    public void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        timed("rotate", () -> kernels.rotate(heads, rows, headSize, rotary, positions));
    }

    @Override
    public void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch) {
        timed("write KV", () -> kernels.writeKv(kv, layer, key, value, batch));
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape) {
        timed("attention", () -> kernels.attend(out, query, kv, layer, batch, shape));
    }

    @Override
    public void gate(Matrix gate, Matrix up, int rows, Activation activation) {
        timed("gate", () -> kernels.gate(gate, up, rows, activation));
    }

    @Override
    public void activate(Matrix x, int rows, Activation activation) {
        timed("activate", () -> kernels.activate(x, rows, activation));
    }

    @Override
    public void add(Matrix out, Matrix in, int rows, float scale) {
        timed("add", () -> kernels.add(out, in, rows, scale));
    }

    @Override
    public void scale(Matrix x, int rows, float scale, float softcap) {
        timed("scale", () -> kernels.scale(x, rows, scale, softcap));
    }

    @Override
    public void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        timed("gather", () -> kernels.gather(out, in, indices, from, count));
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        timed("positions", () -> kernels.addPositions(out, rows, table, positions, offset));
    }

    @Override
    public void copyBlock(KvStorage kv, int fromBlock, int toBlock) {
        kernels.copyBlock(kv, fromBlock, toBlock);
    }

    @Override
    public void close() {
        kernels.close();
    }
}
