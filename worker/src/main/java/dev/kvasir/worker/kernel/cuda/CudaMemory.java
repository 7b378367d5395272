package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.MatrixGroup;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.StoredFloats;
import dev.kvasir.worker.kernel.Weight;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Hands out a GPU's memory, once: weights with their content, activations and KV blocks zeroed. */
final class CudaMemory {
    private static final long ROW_BYTES_MAX = 4L << 20;

    private final Gpu gpu;
    private final DType type;
    private final DeviceArena arena;
    private final Fill fill;
    private final WeightUpload upload;
    private final PinnedMemory rowBuffer;
    private final IdentityHashMap<RotaryTable, Rotation.Frequencies> frequencies = new IdentityHashMap<>();

    /** @param type of activations and weights */
    CudaMemory(Gpu gpu, DType type, DeviceArena arena, Fill fill) {
        this.gpu = gpu;
        this.type = type;
        this.arena = arena;
        this.fill = fill;
        upload = new WeightUpload(gpu);
        rowBuffer = gpu.pinned(ROW_BYTES_MAX);
    }

    CudaMatrix matrix(int rowsMax, int columns, DType of) {
        gpu.enter();
        long bytes = (long) rowsMax * columns * of.bytes();
        long address = arena.allocate(bytes);
        gpu.stream().clear(address, bytes);
        return new CudaMatrix(rowsMax, columns, columns, of, address, this::readRow);
    }

    MatrixGroup group(int rowsMax, int... columns) {
        var whole = matrix(rowsMax, Arrays.stream(columns).sum(), type);
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

    Weight load(Tensor tensor) {
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

    Weight loadColumns(Tensor tensor, int from, int count) {
        gpu.enter();
        long address = arena.allocate((long) tensor.rows() * count * type.bytes());
        upload.columns(tensor, from, count, address, type);
        return new CudaWeight(tensor.rows(), count, address, 0);
    }

    Weight random(int rows, int columns, float middle, float bound, long seed) {
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
    @Nullable
    Weight join(List<Weight> weights) {
        var first = (CudaWeight) weights.getFirst();
        int rows = weights.stream().mapToInt(Weight::rows).sum();
        if (weights.stream().allMatch(weight -> weight.rows() == 1)) {
            return joinVectors(weights);
        }
        long next = first.address();
        for (var weight : weights) {
            if (((CudaWeight) weight).address() != next || weight.columns() != first.columns()) {
                return null;
            }
            next += (long) weight.rows() * weight.columns() * type.bytes();
        }
        return new CudaWeight(rows, first.columns(), first.address(), 0);
    }

    private CudaWeight joinVectors(List<Weight> weights) {
        gpu.enter();
        int columns = weights.stream().mapToInt(Weight::columns).sum();
        long address = arena.allocate((long) columns * type.bytes());
        long floats = arena.allocate((long) columns * Float.BYTES);
        long done = 0;
        for (var weight : weights) {
            var from = (CudaWeight) weight;
            long elements = weight.columns();
            gpu.stream().copyOnDevice(address + done * type.bytes(), from.address(), elements * type.bytes());
            gpu.stream().copyOnDevice(floats + done * Float.BYTES, from.floats(), elements * Float.BYTES);
            done += elements;
        }
        return new CudaWeight(1, columns, address, floats);
    }

    CudaKvStorage kv(KvLayout layout, int blockCount, KernelLibrary library) {
        gpu.enter();
        long bytes = CudaKvStorage.byteSize(layout, blockCount);
        var staging = new BlockStaging(gpu, layout.bytesPerBlock());
        var storage = new CudaKvStorage(layout, blockCount, arena.allocate(bytes), gpu, staging, library);
        gpu.stream().clear(storage.address(), bytes);
        return storage;
    }

    Rotation.Frequencies frequencies(RotaryTable table) {
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
}
