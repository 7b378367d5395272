package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Draws;
import dev.kvasir.worker.kernel.KernelShapes;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MatrixGroup;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Scores;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.Weight;
import java.io.IOException;
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
    private final boolean deterministic;
    private final DeviceArena arena;
    private final KernelLibrary library;
    private final CublasLt cublas;
    private final CudaMemory memory;
    private final CudaSteps steps;
    private final RowCopy rowCopy;
    private final Norm norm;
    private final Rotation rotation;
    private final ElementOperation elements;
    private final Attend attend;
    private final SkinnyMultiply skinny;
    private final Largest largest;
    private final Fill fill;
    private final Products products;
    private Largest.@Nullable CudaChoices choices;
    private @Nullable Draw draw;
    private @Nullable Score score;

    private CudaKernels(Gpu gpu, DType type, StepLimits limits, CudaOptions options, CublasOpener opener) {
        this.gpu = gpu;
        this.type = type;
        deterministic = options.deterministic();
        library = KernelLibrary.load(gpu, options.cache(), options.libraryPath());
        arena = gpu.arena(arenaBytes(gpu, options));
        long workspace = arena.allocate(WORKSPACE_BYTES);
        cublas = opener.open(workspace, WORKSPACE_BYTES);
        var stream = gpu.stream();
        rowCopy = new RowCopy(library, stream);
        norm = new Norm(library, stream);
        rotation = new Rotation(library, stream);
        elements = new ElementOperation(library, stream);
        attend = new Attend(gpu, library, arena, deterministic);
        skinny = new SkinnyMultiply(library, stream);
        largest = new Largest(library, stream);
        fill = new Fill(library, stream);
        var own = WarpgroupMultiply.runsOn(gpu, WORKSPACE_BYTES)
                ? new WarpgroupMultiply(gpu, library, arena, workspace)
                : null;
        products = new Products(gpu, new ProductWays(gpu, cublas, own), elements, deterministic);
        memory = new CudaMemory(gpu, type, arena, fill);
        steps = new CudaSteps(gpu, arena, limits);
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
        return "cuda (%s, compute capability %s, driver for CUDA %s, %s, kernels %s, %s%s)"
                .formatted(
                        gpu.info().name(),
                        gpu.info().capability(),
                        gpu.info().driver(),
                        KernelLibrary.suffix(type),
                        library.origin(),
                        cublas.library(),
                        deterministic ? ", deterministic" : "");
    }

    /** Products are chosen for a GPU, so that only the same one computes the same bits. */
    @Override
    public String numerics() {
        return "cuda-%s%s"
                .formatted(
                        KernelLibrary.suffix(type),
                        deterministic
                                ? "-exact-%s-%s"
                                        .formatted(
                                                gpu.info().capability(),
                                                gpu.info().name())
                                : "");
    }

    @Override
    public OptionalLong freeBytes() {
        return OptionalLong.of(arena.freeBytes());
    }

    /** The device beneath, for measurements. */
    public Gpu gpu() {
        return gpu;
    }

    /** Exchanges with other GPUs go on with norms, which matters for what is the fastest product after them. */
    void followExchanges() {
        products.followExchanges();
    }

    KernelLibrary library() {
        return library;
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
        fill.blocks(cuda(storage), seed);
    }

    @Override
    public Matrix allocate(int rowsMax, int columns) {
        return memory.matrix(rowsMax, columns, type);
    }

    @Override
    public Matrix allocateFloats(int rowsMax, int columns) {
        return memory.matrix(rowsMax, columns, DType.F32);
    }

    @Override
    public MatrixGroup allocateGroup(int rowsMax, int... columns) {
        return memory.group(rowsMax, columns);
    }

    @Override
    public Weight load(Tensor tensor) {
        return memory.load(tensor);
    }

    @Override
    public Weight loadColumns(Tensor tensor, int from, int count) {
        return memory.loadColumns(tensor, from, count);
    }

    @Override
    public Weight rows(Weight weight, int from, int count) {
        KernelShapes.part(weight, from, count);
        long first = (long) from * weight.columns() * type.bytes();
        return new CudaWeight(count, weight.columns(), cuda(weight).address() + first, 0);
    }

    @Override
    public Weight random(DType stored, int rows, int columns, float middle, float bound, long seed) {
        return memory.random(rows, columns, middle, bound, seed);
    }

    @Override
    public @Nullable Weight join(List<Weight> weights) {
        return memory.join(weights);
    }

    @Override
    public KvStorage allocateKv(KvLayout layout, int blockCount) {
        var storage = memory.kv(layout, blockCount, library);
        steps.use(storage);
        return storage;
    }

    @Override
    public void embed(Matrix out, int rows, Weight table, int[] ids, float scale) {
        if (choices != null && steps.issues(ids)) {
            KernelShapes.embedFollowing(out, rows, table);
        } else {
            KernelShapes.embed(out, rows, table, ids);
        }
        if (rows > 0) {
            long chosen = choices == null ? 0 : choices.device();
            rowCopy.embed(cuda(out), rows, cuda(table), steps.list(ids, 0, rows), chosen, scale);
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
        if (!deterministic && SkinnyMultiply.takes(cuda(in), rows, cuda(weight))) {
            skinny.run(cuda(out), cuda(in), rows, cuda(weight), cudaBias, accumulate);
        } else {
            products.run(cuda(out), cuda(in), rows, cuda(weight), cudaBias, accumulate);
        }
    }

    /** With few rows, the result is dense: the second half of the matrix is not needed. */
    @Override
    public Matrix multiplyGated(MatrixGroup outs, Matrix in, int rows, Weight weight, Activation activation) {
        var whole = outs.whole();
        if (rows == 0 || whole == null || deterministic) {
            return Kernels.super.multiplyGated(outs, in, rows, weight, activation);
        }
        KernelShapes.multiply(whole, in, rows, weight);
        gpu.enter();
        var out = cuda(whole).dense(weight.rows() / 2);
        if (SkinnyMultiply.takes(cuda(in), rows, cuda(weight))) {
            skinny.gated(out, cuda(in), rows, cuda(weight), activation);
            return out;
        }
        return products.gated(out, cuda(whole), cuda(in), rows, cuda(weight), activation)
                ? out
                : Kernels.super.multiplyGated(outs, in, rows, weight, activation);
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
            rotation.rotate(cuda(heads), rows, headSize, memory.frequencies(rotary), steps.list(positions, 0, rows));
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
                    steps.mirror(batch, cudaKv));
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
                    rotary == null ? Rotation.Frequencies.NONE : memory.frequencies(rotary),
                    cuda(storage),
                    layer,
                    steps.mirror(batch, cuda(storage)));
        }
    }

    @Override
    public void attend(Matrix out, Matrix query, KvStorage storage, int layer, Batch batch, AttentionShape shape) {
        KernelShapes.attend(out, query, storage, layer, batch, shape);
        if (batch.rowCount > 0) {
            var onDevice = steps.mirror(batch, cuda(storage));
            attend.run(cuda(out), cuda(query), cuda(storage), layer, batch, onDevice, shape);
        }
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
            rowCopy.gather(cuda(out), cuda(in), steps.list(indices, from, count), count);
        }
    }

    @Override
    public void addPositions(Matrix out, int rows, Weight table, int[] positions, int offset) {
        KernelShapes.addPositions(out, rows, table, positions, offset);
        if (rows > 0) {
            rowCopy.addPositions(cuda(out), rows, cuda(table), steps.list(positions, 0, rows), offset);
        }
    }

    @Override
    public Choices allocateChoices(int rowsMax) {
        gpu.enter();
        choices = new Largest.CudaChoices(gpu, arena, rowsMax);
        return choices;
    }

    @Override
    public boolean runsAhead() {
        return true;
    }

    @Override
    public void chooseLargest(Choices into, Matrix logits, int rows) {
        KernelShapes.rows(logits, rows);
        gpu.enter();
        if (rows > 0) {
            largest.run((Largest.CudaChoices) into, cuda(logits), rows);
        }
    }

    @Override
    public Draws allocateDraws(int requestsMax, int entriesMax) {
        gpu.enter();
        draw = new Draw(gpu, library, arena, requestsMax, entriesMax);
        return new Draws(requestsMax, entriesMax);
    }

    @Override
    public void draw(Choices into, Matrix logits, Draws draws) {
        gpu.enter();
        if (draw == null) {
            throw new IllegalStateException("there is no room for draws");
        }
        if (draws.count() > 0) {
            draw.run((Largest.CudaChoices) into, cuda(logits), draws);
        }
    }

    @Override
    public Scores allocateScores(int rowsMax) {
        gpu.enter();
        score = new Score(gpu, library, arena, rowsMax);
        return new Scores(rowsMax);
    }

    @Override
    public Scores.Reading score(Choices chosen, Matrix logits, Scores scores) {
        gpu.enter();
        if (score == null) {
            throw new IllegalStateException("there is no room for log-probabilities");
        }
        return score.run((Largest.CudaChoices) chosen, cuda(logits), scores);
    }

    @Override
    public void prepare(Batch batch, Runnable forward, PreparationProgress progress) {
        gpu.enter();
        products.measureNewShapes(true);
        steps.prepare(batch, forward, progress);
        products.measureNewShapes(false);
        products.measureLarge();
    }

    @Override
    public void compute(Batch batch, Runnable forward) {
        gpu.enter();
        steps.compute(batch, forward);
    }

    @Override
    public void copyBlock(KvStorage storage, int fromBlock, int toBlock) {
        KernelShapes.copyBlock(storage, fromBlock, toBlock);
        gpu.enter();
        var cudaKv = cuda(storage);
        long bytes = cudaKv.layout().bytesPerLayerBlock();
        for (int layer = 0; layer < cudaKv.layout().layerCount(); layer++) {
            gpu.stream().copyOnDevice(cudaKv.block(layer, toBlock), cudaKv.block(layer, fromBlock), bytes);
        }
    }

    @Override
    public void close() {
        cublas.close();
        gpu.close();
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
