package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Weights in the order that oneDNN multiplies from, made on first use, part by part as {@link OnednnMultiply} shares them
 * out. They are copies: of {@code bytesMax} bytes at most, and what does not fit any more stays as it is stored. Who only
 * reads the copies leaves the mapped file to the operating system, which may drop its pages.
 */
final class OnednnWeights implements AutoCloseable {
    /** The order is chosen for a product of so many rows, and serves any number. */
    private static final int TYPICAL_ROWS = 64;

    private final Onednn onednn;
    private final MemorySegment stream;
    private final Arena arena = Arena.ofShared();
    private final IdentityHashMap<CpuWeight, Packed> packed = new IdentityHashMap<>();
    private final Map<Shape, MemorySegment> orders = new HashMap<>();
    private long bytesLeft;

    /** Where the parts of a weight are. */
    static final class Packed {
        private final long[] parts;

        private Packed(long[] parts) {
            this.parts = parts;
        }

        long address(int part) {
            return parts[part];
        }
    }

    private record Shape(int outputs, int columns, DType dtype) {}

    OnednnWeights(Onednn onednn, MemorySegment stream, long bytesMax) {
        this.onednn = onednn;
        this.stream = stream;
        bytesLeft = bytesMax;
    }

    /** Parts of so many outputs each, the last one smaller; null where there is no room. */
    @Nullable
    Packed of(CpuWeight weight, int partOutputs) {
        var known = packed.get(weight);
        return known != null || weight.data().byteSize() > bytesLeft ? known : pack(weight, partOutputs);
    }

    private @Nullable Packed pack(CpuWeight weight, int partOutputs) {
        var parts = new long[Math.ceilDiv(weight.rows(), partOutputs)];
        for (int i = 0; i < parts.length; i++) {
            int first = i * partOutputs;
            int outputs = Math.min(partOutputs, weight.rows() - first);
            var order = order(outputs, weight.columns(), weight.dtype());
            long bytes = onednn.bytes(order);
            bytesLeft -= bytes;
            parts[i] = arena.allocate(bytes, 64).address();
            reorder(weight, first, outputs, order, parts[i]);
        }
        var result = new Packed(parts);
        packed.put(weight, result);
        return result;
    }

    /** Descriptor of a part's order, owned by this. */
    MemorySegment order(int outputs, int columns, DType dtype) {
        return orders.computeIfAbsent(new Shape(outputs, columns, dtype), shape -> {
            int type = type(dtype);
            var source = onednn.matrixDescriptor(TYPICAL_ROWS, columns, type, columns, 1);
            var any = onednn.anyDescriptor(columns, outputs, type);
            var destination = onednn.matrixDescriptor(TYPICAL_ROWS, outputs, Onednn.F32, outputs, 1);
            var order = onednn.chosenWeights(source, any, destination);
            onednn.destroyDescriptor(source);
            onednn.destroyDescriptor(any);
            onednn.destroyDescriptor(destination);
            return order;
        });
    }

    private void reorder(CpuWeight weight, int first, int outputs, MemorySegment order, long to) {
        var stored = stored(onednn, outputs, weight.columns(), weight.dtype());
        var reorder = onednn.reorder(stored, order);
        var from = onednn.memory(stored);
        var destination = onednn.memory(order);
        onednn.setAddress(from, weight.row(first));
        onednn.setAddress(destination, to);
        try (var arguments = Arena.ofConfined()) {
            onednn.execute(reorder, stream, 2, OnednnProduct.arguments(arguments, from, destination));
        }
        onednn.destroyMemory(from);
        onednn.destroyMemory(destination);
        onednn.destroyPrimitive(reorder);
        onednn.destroyDescriptor(stored);
    }

    /** Descriptor of [outputs, columns] as stored, seen as [columns, outputs]. */
    static MemorySegment stored(Onednn onednn, int outputs, int columns, DType dtype) {
        return onednn.matrixDescriptor(columns, outputs, type(dtype), 1, columns);
    }

    static int type(DType dtype) {
        return switch (dtype) {
            case BF16 -> Onednn.BF16;
            case F32 -> Onednn.F32;
            case F16 -> throw new IllegalArgumentException("16-bit floats are not multiplied by oneDNN");
        };
    }

    @Override
    public void close() {
        orders.values().forEach(onednn::destroyDescriptor);
        orders.clear();
        packed.clear();
        arena.close();
    }
}
