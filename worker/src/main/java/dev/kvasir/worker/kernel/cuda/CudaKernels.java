package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.KernelShapes;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MatrixGroup;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.StoredFloats;
import dev.kvasir.worker.kernel.Weight;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Kernels on one GPU: checks shapes and hands each operation to the launcher that issues it. Activations and weights have
 * one type, chosen when it is opened; sums and norms are of floats. All device memory is taken once, when it is opened.
 *
 * <p>Within {@link #compute} the batch is on the device and operations are only issued; outside, operations with lists of
 * the host's copy those first, which waits for the device.
 */
public final class CudaKernels implements Kernels {
    private static final long WORKSPACE_BYTES = 64L << 20;
    /** Of the device's free memory, for what the driver and its libraries take later: graphs above all. */
    private static final long LEFT_FREE_BYTES = 768L << 20;

    private final Gpu gpu;
    private final DType type;
    private final DeviceArena arena;
    private final KernelLibrary library;
    private final CublasLt cublas;
    private final BatchMirror mirror;
    private final WeightUpload upload;
    private final RowCopy rowCopy;
    private final Norm norm;
    private final Rotation rotation;
    private final ElementOperation elements;
    private final AttendSimple attendSimple;
    private final AttendDecode attendDecode;
    private final AttendPrefill attendPrefill;
    private final SkinnyMultiply skinny;
    private final Largest largest;
    private final Fill fill;
    private final Products products;
    private final StepGraphs graphs;
    private final PinnedMemory rowBuffer;
    private final IdentityHashMap<RotaryTable, Rotation.Frequencies> frequencies = new IdentityHashMap<>();
    private @Nullable CudaKvStorage kv;
    private @Nullable Batch current;

    private CudaKernels(Gpu gpu, DType type, StepLimits limits, CudaOptions options, CublasOpener opener) {
        this.gpu = gpu;
        this.type = type;
        library = KernelLibrary.load(gpu, options.cache(), options.libraryPath());
        arena = gpu.arena(arenaBytes(gpu, options));
        cublas = opener.open(arena.allocate(WORKSPACE_BYTES), WORKSPACE_BYTES);
        mirror = new BatchMirror(gpu, arena, limits);
        upload = new WeightUpload(gpu);
        var stream = gpu.stream();
        rowCopy = new RowCopy(library, stream);
        norm = new Norm(library, stream);
        rotation = new Rotation(library, stream);
        elements = new ElementOperation(library, stream);
        attendSimple = new AttendSimple(library, stream);
        attendDecode = new AttendDecode(gpu, library, arena);
        attendPrefill = new AttendPrefill(gpu, library);
        skinny = new SkinnyMultiply(library, stream);
        largest = new Largest(library, stream);
        fill = new Fill(library, stream);
        products = new Products(cublas, stream);
        graphs = new StepGraphs(gpu, limits.sequencesMax());
        rowBuffer = gpu.pinned(4L << 20);
    }

    private interface CublasOpener {
        CublasLt open(long workspace, long workspaceBytes);
    }

    /**
     * Opens a GPU.
     *
     * @param type of activations; weights of other types are converted
     * @throws IllegalStateException naming the library or the kernels that are missing
     */
    public static CudaKernels open(GpuInfo info, DType type, StepLimits limits, CudaOptions options) {
        var gpu = Gpu.open(info);
        try {
            return new CudaKernels(gpu, type, limits, options, (workspace, bytes) -> {
                try {
                    return CublasLt.open(options.libraryPath(), workspace, bytes);
                } catch (IOException e) {
                    throw new IllegalStateException("matrix products need cuBLASLt: " + e.getMessage(), e);
                }
            });
        } catch (RuntimeException e) {
            gpu.close();
            throw e;
        }
    }

    private static long arenaBytes(Gpu gpu, CudaOptions options) {
        long free = gpu.freeBytes();
        long others = gpu.info().totalBytes() - free;
        long allowed = (long) (gpu.info().totalBytes() * options.memoryUtilization()) - others;
        long bytes = Math.min(allowed, free - LEFT_FREE_BYTES);
        if (bytes < WORKSPACE_BYTES * 2) {
            throw new IllegalStateException(
                    "gpu-memory-utilization %s leaves nothing: %d of %d MiB of GPU memory are in use already"
                            .formatted(
                                    options.memoryUtilization(),
                                    others >> 20,
                                    gpu.info().totalBytes() >> 20));
        }
        return bytes;
    }

    @Override
    public String describe() {
        return "cuda (%s, compute capability %s, driver for CUDA %s, %s, kernels %s, %s)"
                .formatted(
                        gpu.info().name(),
                        gpu.info().capability(),
                        gpu.info().driver(),
                        KernelLibrary.suffix(type),
                        library.origin(),
                        cublas.library());
    }

    @Override
    public OptionalLong freeBytes() {
        return OptionalLong.of(arena.freeBytes());
    }

    /** The device beneath, for measurements. */
    public Gpu gpu() {
        return gpu;
    }

    /** Memory that is not handed out yet, for measurements. */
    public DeviceArena arena() {
        return arena;
    }

    /** Where a weight lies, for measurements. */
    public long addressOf(Weight weight) {
        return cuda(weight).address();
    }

    /** Fills KV blocks with random numbers, for measurements. */
    public void fill(KvStorage storage, long seed) {
        var layout = storage.layout();
        fill.run(
                cuda(storage).address(),
                layout.dtype(),
                storage.byteSize() / layout.dtype().bytes(),
                0,
                1,
                seed);
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        return allocate(rowsMax, columns, type);
    }

    @Override
    public Matrix allocateFloats(int rowsMax, int columns) {
        return allocate(rowsMax, columns, DType.F32);
    }

    private CudaMatrix allocate(int rowsMax, int columns, DType of) {
        gpu.enter();
        long bytes = (long) rowsMax * columns * of.bytes();
        long address = arena.allocate(bytes);
        gpu.stream().clear(address, bytes);
        return new CudaMatrix(rowsMax, columns, columns, of, address, this::readRow);
    }

    @Override
    public MatrixGroup allocateGroup(int rowsMax, int... columns) {
        var whole = allocate(rowsMax, Arrays.stream(columns).sum(), type);
        var parts = new ArrayList<Matrix>();
        int from = 0;
        for (int count : columns) {
            parts.add(whole.view(from, count));
            from += count;
        }
        return new MatrixGroup(parts, whole);
    }

    private void readRow(CudaMatrix matrix, int row, float[] destination) {
        gpu.enter();
        long bytes = (long) matrix.columns() * matrix.type().bytes();
        if (bytes > rowBuffer.data().byteSize()) {
            throw new IllegalArgumentException("rows of %d bytes, at most %d can be read"
                    .formatted(bytes, rowBuffer.data().byteSize()));
        }
        gpu.stream().copyToHost(rowBuffer.address(), matrix.row(row), bytes);
        gpu.stream().synchronize();
        for (int c = 0; c < matrix.columns(); c++) {
            destination[c] = StoredFloats.get(rowBuffer.data(), matrix.type(), c);
        }
    }

    @Override
    public Weight load(Tensor tensor) {
        gpu.enter();
        long elements = (long) tensor.rows() * tensor.columns();
        long address = arena.allocate(elements * type.bytes());
        upload.run(tensor, address, type);
        if (tensor.rows() != 1) {
            return new CudaWeight(tensor.rows(), tensor.columns(), address, 0);
        }
        long floats = arena.allocate(elements * Float.BYTES);
        upload.run(tensor, floats, DType.F32);
        return new CudaWeight(1, tensor.columns(), address, floats);
    }

    @Override
    public Weight random(DType stored, int rows, int columns, float middle, float bound, long seed) {
        gpu.enter();
        long elements = (long) rows * columns;
        long address = arena.allocate(elements * type.bytes());
        fill.run(address, type, elements, middle, bound, seed);
        if (rows != 1) {
            return new CudaWeight(rows, columns, address, 0);
        }
        long floats = arena.allocate(elements * Float.BYTES);
        fill.run(floats, DType.F32, elements, middle, bound, seed);
        return new CudaWeight(1, columns, address, floats);
    }

    /** Matrices that lie side by side are one; vectors are copied. */
    @Override
    public @Nullable Weight join(List<Weight> weights) {
        var first = cuda(weights.getFirst());
        int rows = weights.stream().mapToInt(Weight::rows).sum();
        int columns = weights.stream().mapToInt(Weight::columns).sum();
        if (weights.stream().allMatch(weight -> weight.rows() == 1)) {
            return joinVectors(weights, columns);
        }
        long next = first.address();
        for (var weight : weights) {
            if (cuda(weight).address() != next || weight.columns() != first.columns()) {
                return null;
            }
            next += (long) weight.rows() * weight.columns() * type.bytes();
        }
        return new CudaWeight(rows, first.columns(), first.address(), 0);
    }

    private CudaWeight joinVectors(List<Weight> weights, int columns) {
        gpu.enter();
        long address = arena.allocate((long) columns * type.bytes());
        long floats = arena.allocate((long) columns * Float.BYTES);
        int done = 0;
        for (var weight : weights) {
            gpu.stream()
                    .copyOnDevice(
                            address + (long) done * type.bytes(),
                            cuda(weight).address(),
                            (long) weight.columns() * type.bytes());
            gpu.stream()
                    .copyOnDevice(
                            floats + (long) done * Float.BYTES,
                            cuda(weight).floats(),
                            (long) weight.columns() * Float.BYTES);
            done += weight.columns();
        }
        return new CudaWeight(1, columns, address, floats);
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        gpu.enter();
        long bytes = CudaKvStorage.byteSize(layout, blockCount);
        var storage = new CudaKvStorage(layout, blockCount, arena.allocate(bytes), gpu);
        gpu.stream().clear(storage.address(), bytes);
        kv = storage;
        return storage;
    }

    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        KernelShapes.embed(out, rows, table, ids);
        if (rows > 0) {
            rowCopy.embed(cuda(out), rows, cuda(table), onDevice(ids, 0, rows), scale);
        }
    }

    @Override
    public void multiply(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, boolean accumulate) {
        KernelShapes.multiply(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        gpu.enter();
        var cudaBias = bias == null ? null : cuda(bias);
        if (rows == 0) {
            return;
        }
        if (SkinnyMultiply.takes(cuda(in), rows, cuda(weight))) {
            skinny.run(cuda(out), cuda(in), rows, cuda(weight), cudaBias, accumulate);
        } else {
            products.run(cuda(out), cuda(in), rows, cuda(weight), cudaBias, accumulate);
        }
    }

    /** With few rows, the result is dense: the second half of the matrix is not needed. */
    @Override
    public Matrix multiplyGated(MatrixGroup outs, Matrix in, int rows, Weight weight, Activation activation) {
        var whole = outs.whole();
        if (rows == 0 || whole == null || !SkinnyMultiply.takes(cuda(in), rows, cuda(weight))) {
            return Kernels.super.multiplyGated(outs, in, rows, weight, activation);
        }
        KernelShapes.multiply(whole, in, rows, weight);
        gpu.enter();
        var out = cuda(whole).dense(weight.rows() / 2);
        skinny.gated(out, cuda(in), rows, cuda(weight), activation);
        return out;
    }

    @Override
    public void rmsNorm(Matrix out, Matrix in, int rows, Weight weight, float epsilon, float weightOffset) {
        int groups = KernelShapes.rmsNorm(out, in, rows, weight);
        gpu.enter();
        if (rows > 0) {
            norm.rms(cuda(out), cuda(in), rows, cuda(weight), groups, epsilon, weightOffset);
        }
    }

    @Override
    public void layerNorm(Matrix out, Matrix in, int rows, Weight weight, @Nullable Weight bias, float epsilon) {
        KernelShapes.layerNorm(out, in, rows, weight);
        if (bias != null) {
            KernelShapes.bias(out, bias);
        }
        gpu.enter();
        if (rows > 0) {
            norm.layer(cuda(out), cuda(in), rows, cuda(weight), bias == null ? null : cuda(bias), epsilon);
        }
    }

    @Override
    public void rotate(Matrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        KernelShapes.rotate(heads, rows, headSize, rotary, positions);
        if (rows > 0) {
            rotation.rotate(cuda(heads), rows, headSize, onDevice(rotary), onDevice(positions, 0, rows));
        }
    }

    @Override
    public void writeKv(KvStorage storage, int layer, Matrix key, Matrix value, Batch batch) {
        KernelShapes.writeKv(storage, layer, key, value, batch);
        if (batch.rowCount > 0) {
            // No rotation: the query is not touched, and the key stands in for it.
            var none = Rotation.Frequencies.NONE;
            var cudaKv = cuda(storage);
            rotation.rotateWrite(
                    cuda(key),
                    cudaKv.layout().kvHeadCount(),
                    cuda(key),
                    cuda(value),
                    none,
                    cudaKv,
                    layer,
                    onDevice(batch, cudaKv));
        }
    }

    @Override
    public void rotateAndWriteKv(
            Matrix query,
            Matrix key,
            Matrix value,
            @Nullable RotaryTable rotary,
            KvStorage storage,
            int layer,
            Batch batch) {
        KernelShapes.writeKv(storage, layer, key, value, batch);
        int headSize = storage.layout().keySize();
        if (rotary != null) {
            KernelShapes.rotate(query, batch.rowCount, headSize, rotary, batch.positions);
        }
        if (batch.rowCount > 0) {
            rotation.rotateWrite(
                    cuda(query),
                    query.columns() / headSize,
                    cuda(key),
                    cuda(value),
                    rotary == null ? Rotation.Frequencies.NONE : onDevice(rotary),
                    cuda(storage),
                    layer,
                    onDevice(batch, cuda(storage)));
        }
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage storage, int layer, Batch batch, AttentionShape shape) {
        KernelShapes.attend(out, query, storage, layer, batch, shape);
        if (batch.rowCount > 0) {
            attend(cuda(out), cuda(query), cuda(storage), layer, batch, onDevice(batch, cuda(storage)), shape);
        }
    }

    private void attend(
            CudaMatrix out,
            CudaMatrix query,
            CudaKvStorage storage,
            int layer,
            Batch batch,
            BatchMirror onDevice,
            AttentionShape shape) {
        if (!AttendDecode.takes(query, storage, shape) || !AttendPrefill.takes(query, storage, shape)) {
            attendSimple.run(out, query, storage, layer, onDevice, shape);
            return;
        }
        if (!onDevice.isDecoding()) {
            attendPrefill.run(out, query, storage, layer, batch, onDevice, shape);
        }
        if (onDevice.decodes()) {
            attendDecode.run(out, query, storage, layer, onDevice, shape, splitTokens(onDevice.sequences()));
        }
    }

    /** Few sequences fill the device only when each is split finely. */
    private static int splitTokens(int sequences) {
        return sequences <= 4 ? 128 : sequences <= 12 ? 512 : 1024;
    }

    @Override
    public void gate(Matrix gate, Matrix up, int rows, Activation activation) {
        KernelShapes.sameColumns(gate, up, rows);
        gpu.enter();
        if (rows > 0) {
            elements.gate(cuda(gate), cuda(up), rows, activation);
        }
    }

    @Override
    public void activate(Matrix x, int rows, Activation activation) {
        KernelShapes.rows(x, rows);
        gpu.enter();
        if (rows > 0) {
            elements.activate(cuda(x), rows, activation);
        }
    }

    @Override
    public void add(Matrix out, Matrix in, int rows, float scale) {
        KernelShapes.sameColumns(out, in, rows);
        gpu.enter();
        if (rows > 0) {
            elements.add(cuda(out), cuda(in), rows, scale);
        }
    }

    @Override
    public void scale(Matrix x, int rows, float scale, float softcap) {
        KernelShapes.rows(x, rows);
        gpu.enter();
        if (rows > 0) {
            elements.scale(cuda(x), rows, scale, softcap);
        }
    }

    @Override
    public void gather(Matrix out, Matrix in, int[] indices, int from, int count) {
        KernelShapes.gather(out, in, indices, from, count);
        if (count > 0) {
            rowCopy.gather(cuda(out), cuda(in), onDevice(indices, from, count), count);
        }
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        KernelShapes.addPositions(out, rows, table, positions, offset);
        if (rows > 0) {
            rowCopy.addPositions(cuda(out), rows, cuda(table), onDevice(positions, 0, rows), offset);
        }
    }

    @Override
    public Choices allocateChoices(int rowsMax) {
        gpu.enter();
        long bytes = Largest.byteSize(rowsMax);
        return new Largest.CudaChoices(gpu.stream(), arena.allocate(bytes), gpu.pinned(bytes));
    }

    @Override
    public void chooseLargest(Choices choices, Matrix logits, int rows) {
        KernelShapes.rows(logits, rows);
        gpu.enter();
        if (rows > 0) {
            largest.run((Largest.CudaChoices) choices, cuda(logits), rows);
        }
    }

    @Override
    public void prepare(Batch batch, Runnable forward, PreparationProgress progress) {
        gpu.enter();
        graphs.record(batch, (rows, recording) -> issue(batch, forward, rows, recording), progress);
    }

    private void issue(Batch batch, Runnable forward, int rows, boolean recording) {
        if (!recording) {
            upload(batch, rows);
        }
        current = batch;
        try {
            forward.run();
        } finally {
            current = null;
        }
    }

    @Override
    public void compute(Batch batch, Runnable forward) {
        gpu.enter();
        var graph = graphs.find(batch);
        if (graph != null) {
            upload(batch, graph.rows());
            graph.launch(gpu.stream());
        } else {
            issue(batch, forward, batch.rowCount, false);
        }
    }

    private void upload(Batch batch, int rows) {
        gpu.stream().synchronize();
        if (kv == null) {
            mirror.upload(batch, rows, Integer.MAX_VALUE, 0);
        } else {
            mirror.upload(batch, rows, kv.layout().blockSize(), kv.spareBlock());
        }
    }

    @Override
    public void copyBlock(KvStorage storage, int fromBlock, int toBlock) {
        KernelShapes.copyBlock(storage, fromBlock, toBlock);
        gpu.enter();
        var cudaKv = cuda(storage);
        long bytes = cudaKv.blockStride() * cudaKv.layout().dtype().bytes();
        for (int layer = 0; layer < cudaKv.layout().layerCount(); layer++) {
            gpu.stream().copyOnDevice(cudaKv.block(layer, toBlock), cudaKv.block(layer, fromBlock), bytes);
        }
    }

    @Override
    public void close() {
        cublas.close();
        gpu.close();
    }

    /** Where the device has a list of the batch that is computed, or a copy of another list. */
    @SuppressWarnings("ReferenceEquality") // Whether it is the batch's own list, not equal contents.
    private long onDevice(int[] list, int from, int count) {
        gpu.enter();
        if (current != null) {
            if (list == current.tokenIds) {
                return mirror.tokenIds() + 4L * from;
            }
            if (list == current.positions) {
                return mirror.positions() + 4L * from;
            }
            if (list == current.logitRows) {
                return mirror.logitRows() + 4L * from;
            }
        }
        return mirror.uploadOther(list, from, count);
    }

    @SuppressWarnings("ReferenceEquality") // Whether it is the batch that is computed.
    private BatchMirror onDevice(Batch batch, CudaKvStorage storage) {
        gpu.enter();
        if (batch != current) {
            gpu.stream().synchronize();
            mirror.upload(batch, batch.rowCount, storage.layout().blockSize(), storage.spareBlock());
        }
        return mirror;
    }

    private Rotation.Frequencies onDevice(RotaryTable table) {
        gpu.enter();
        return frequencies.computeIfAbsent(table, key -> {
            float[] values = key.inverseFrequencies();
            long address = arena.allocate((long) values.length * Float.BYTES);
            var host = rowBuffer.data();
            gpu.stream().synchronize();
            MemorySegment.copy(values, 0, host, ValueLayout.JAVA_FLOAT, 0, values.length);
            gpu.stream().copyToDevice(address, host.address(), (long) values.length * Float.BYTES);
            gpu.stream().synchronize();
            return Rotation.Frequencies.of(key, address);
        });
    }

    private static CudaMatrix cuda(Matrix matrix) {
        return (CudaMatrix) matrix;
    }

    private static CudaWeight cuda(Weight weight) {
        return (CudaWeight) weight;
    }

    private static CudaKvStorage cuda(KvStorage storage) {
        return (CudaKvStorage) storage;
    }
}
