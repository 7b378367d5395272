package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KernelShapes;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.StoredFloats;
import dev.kvasir.worker.kernel.Weight;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Kernels on the host's processors: checks shapes and hands each operation to the class that computes it. Operations run
 * at once, on all threads; one caller at a time. After the first calls of each shape nothing is allocated.
 */
public final class CpuKernels implements Kernels {
    private final Arena arena = Arena.ofShared();
    private final WorkerThreads threads;
    private final Multiply multiply;
    private final PackedPanels packedPanels;
    private final PanelMultiply panelMultiply;
    private final Norm norm;
    private final Rotation rotation;
    private final ElementOperation elements;
    private final RowCopy rowCopy;
    private final KvWrite kvWrite;
    private final Attention attention;
    private final @Nullable OnednnMultiply onednn;
    private final String products;
    private final long packedBytesMax;
    private int packable;

    public CpuKernels(CpuOptions options) {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            throw new IllegalStateException("CPU kernels need a little-endian processor");
        }
        threads = new WorkerThreads(options.threads());
        multiply = new Multiply(threads);
        packedPanels = new PackedPanels(threads, options.packedBytesMax());
        panelMultiply = new PanelMultiply(threads);
        norm = new Norm(threads);
        rotation = new Rotation(threads);
        elements = new ElementOperation(threads);
        rowCopy = new RowCopy(threads);
        kvWrite = new KvWrite(threads);
        attention = new Attention(threads);
        String products = "Vector API %d bit".formatted(Memory.FLOATS.vectorBitSize());
        OnednnMultiply onednn = null;
        if (options.determinism() == Determinism.DETERMINISTIC) {
            products += ", deterministic";
        } else {
            try {
                var library = Onednn.load(options.cache());
                if (library.multipliesBf16() && !(right(library, 0) && right(library, Integer.MAX_VALUE))) {
                    products += ", deterministic, no oneDNN: its products are wrong on this machine";
                } else if (library.multipliesBf16()) {
                    onednn = new OnednnMultiply(library, threads, options.packedBytesMax());
                    products += ", oneDNN bf16, not deterministic";
                } else {
                    products += ", deterministic, no oneDNN: the processor does not multiply bf16";
                }
            } catch (IOException e) {
                products += ", deterministic, no oneDNN: " + e.getMessage();
            }
        }
        this.onednn = onednn;
        packedBytesMax = options.packedBytesMax();
        this.products = products;
    }

    private boolean right(Onednn library, long packedBytesMax) {
        try (var tested = new OnednnMultiply(library, threads, packedBytesMax)) {
            return ProductCheck.agree(
                    (out, in, rows, weight) -> tested.run(out, in, rows, weight, null, false),
                    (out, in, rows, weight) -> multiply.run(out, in, rows, weight, null, false));
        }
    }

    @Override
    public String describe() {
        return "cpu (%s, %d threads)".formatted(products, threads.count());
    }

    /** Which weights are packed changes last bits. */
    @Override
    public String numerics() {
        return "cpu-%s-%d".formatted(onednn == null ? "exact" : "onednn", packedBytesMax);
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        int stride = Memory.padded(columns);
        var data = arena.allocate(4L * stride * rowsMax, 64);
        return new CpuMatrix(rowsMax, columns, stride, data.address(), data);
    }

    /** Where oneDNN multiplies, few rows are multiplied with the stored weights, which then stay in memory. */
    @Override
    public long copyBytes(DType type, long weightBytes, boolean mapped) {
        if (type != DType.BF16 || (onednn == null && mapped)) {
            return 0;
        }
        return Math.min(packedBytesMax, weightBytes);
    }

    /** Packs weights, in the order in which a step meets them. */
    @Override
    public void prepare(Batch batch, Runnable forward, PreparationProgress progress) {
        if (onednn == null && packable > 0 && packedBytesMax > 0) {
            packedPanels.report(progress, packable);
            batch.clear();
            batch.add(new int[1], 0, 1, new int[1], 0);
            forward.run();
            batch.clear();
            progress.prepared(packable, packable);
        }
    }

    @Override
    public Weight rows(Weight weight, int from, int count) {
        KernelShapes.part(weight, from, count);
        var all = (CpuWeight) weight;
        return new CpuWeight(count, all.columns(), all.dtype(), all.row(from), all.data());
    }

    /** Vectors, which are small, are kept as floats; matrices stay where and as they are. */
    @Override
    public Weight load(Tensor tensor) {
        var data = tensor.data();
        if (PackedPanels.takes(tensor.dtype(), tensor.rows())) {
            packable++;
        }
        if (tensor.rows() != 1 || tensor.dtype() == DType.F32) {
            return new CpuWeight(tensor.rows(), tensor.columns(), tensor.dtype(), data.address(), data);
        }
        var floats = arena.allocate(4L * tensor.columns(), 64);
        for (int i = 0; i < tensor.columns(); i++) {
            StoredFloats.set(floats, DType.F32, i, StoredFloats.get(data, tensor.dtype(), i));
        }
        return new CpuWeight(1, tensor.columns(), DType.F32, floats.address(), floats);
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        var data = arena.allocate(layout.bytesPerBlock() * blockCount, 64);
        return new CpuKvStorage(layout, blockCount, data.address(), data);
    }

    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        KernelShapes.embed(out, rows, table, ids);
        rowCopy.run(cpu(out), rows, cpu(table), ids, 0, scale, false);
    }

    @Override
    public void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate) {
        KernelShapes.multiply(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        var cpuBias = bias == null ? null : cpu(bias);
        var panels = onednn == null ? packedPanels.of(cpu(weight)) : null;
        if (panels != null) {
            panelMultiply.run(cpu(out), cpu(in), rows, panels, cpuBias, accumulate);
        } else if (onednn != null && onednn.takes(cpu(weight), rows)) {
            onednn.run(cpu(out), cpu(in), rows, cpu(weight), cpuBias, accumulate);
        } else {
            multiply.run(cpu(out), cpu(in), rows, cpu(weight), cpuBias, accumulate);
        }
    }

    @Override
    public void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset) {
        int groups = KernelShapes.rmsNorm(out, in, rows, weight);
        norm.rms(cpu(out), cpu(in), rows, cpu(weight), groups, epsilon, weightOffset);
    }

    @Override
    public void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon) {
        KernelShapes.layerNorm(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        norm.layer(cpu(out), cpu(in), rows, cpu(weight), bias == null ? null : cpu(bias), epsilon);
    }

    @Override
    public void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        KernelShapes.rotate(heads, rows, headSize, rotary, positions);
        rotation.run(cpu(heads), rows, headSize, rotary, positions);
    }

    @Override
    public void writeKv(KvStorage kv, int layer, Matrix key, Matrix value, Batch batch) {
        KernelShapes.writeKv(kv, layer, key, value, batch);
        kvWrite.run(cpu(kv), layer, cpu(key), cpu(value), batch);
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage kv, int layer, Batch batch, AttentionShape shape) {
        KernelShapes.attend(out, query, kv, layer, batch, shape);
        attention.run(cpu(out), cpu(query), cpu(kv), layer, batch, shape);
    }

    @Override
    public void gate(Matrix gate, Matrix up, int rows, Activation activation) {
        KernelShapes.sameColumns(gate, up, rows);
        elements.gate(cpu(gate), cpu(up), rows, activation);
    }

    @Override
    public void activate(Matrix x, int rows, Activation activation) {
        KernelShapes.rows(x, rows);
        elements.activate(cpu(x), rows, activation);
    }

    @Override
    public void add(Matrix out, Matrix in, int rows, float scale) {
        KernelShapes.sameColumns(out, in, rows);
        elements.add(cpu(out), cpu(in), rows, scale);
    }

    @Override
    public void scale(Matrix x, int rows, float scale, float softcap) {
        KernelShapes.rows(x, rows);
        elements.scale(cpu(x), rows, scale, softcap);
    }

    @Override
    public void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        KernelShapes.gather(out, in, indices, from, count);
        for (int i = 0; i < count; i++) {
            Memory.copy(cpu(in).row(indices[from + i]), cpu(out).row(i), 4L * in.columns());
        }
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        KernelShapes.addPositions(out, rows, table, positions, offset);
        rowCopy.run(cpu(out), rows, cpu(table), positions, offset, 1, true);
    }

    @Override
    public void copyBlock(KvStorage kv, int fromBlock, int toBlock) {
        KernelShapes.copyBlock(kv, fromBlock, toBlock);
        var layout = kv.layout();
        long bytes = layout.bytesPerLayerBlock();
        for (int layer = 0; layer < layout.layerCount(); layer++) {
            Memory.copy(cpu(kv).keys(layer, fromBlock, 0), cpu(kv).keys(layer, toBlock, 0), bytes);
        }
    }

    @Override
    public void close() {
        if (onednn != null) {
            onednn.close();
        }
        threads.close();
        packedPanels.close();
        arena.close();
    }

    private static CpuMatrix cpu(Matrix matrix) {
        return (CpuMatrix) matrix;
    }

    private static CpuWeight cpu(Weight weight) {
        return (CpuWeight) weight;
    }

    private static CpuKvStorage cpu(KvStorage kv) {
        return (CpuKvStorage) kv;
    }
}
