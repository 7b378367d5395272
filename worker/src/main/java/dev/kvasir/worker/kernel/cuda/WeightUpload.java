package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.kernel.StoredFloats;
import java.lang.foreign.MemorySegment;

/**
 * Copies stored tensors to the device through two pinned buffers: one is filled from the mapped file while the other
 * travels. Elements of another type are converted on the way.
 */
final class WeightUpload {
    private static final long BUFFER_BYTES = 16L << 20;

    private final Gpu gpu;
    private final PinnedMemory[] buffers = new PinnedMemory[2];
    private final Event[] travelled = new Event[2];
    private int next;

    WeightUpload(Gpu gpu) {
        this.gpu = gpu;
        for (int i = 0; i < buffers.length; i++) {
            buffers[i] = gpu.pinned(BUFFER_BYTES);
            travelled[i] = gpu.event();
            travelled[i].record(gpu.stream());
        }
    }

    /** Copies all elements to {@code address}, as {@code type}. */
    void run(Tensor tensor, long address, DType type) {
        long elements = (long) tensor.rows() * tensor.columns();
        long chunk = BUFFER_BYTES / type.bytes();
        for (long from = 0; from < elements; from += chunk) {
            long count = Math.min(chunk, elements - from);
            fill(tensor, from, count, type, buffer(), 0);
            send(address + from * type.bytes(), count * type.bytes());
        }
    }

    /** Copies columns [from, from + count) of all rows, one row after the other. */
    void columns(Tensor tensor, int from, int count, long address, DType type) {
        int rowsMax = Math.toIntExact(BUFFER_BYTES / type.bytes() / count);
        if (rowsMax == 0) {
            throw new IllegalArgumentException("%s has %d columns in a row, at most %d can be copied"
                    .formatted(tensor.name(), count, BUFFER_BYTES / type.bytes()));
        }
        for (int row = 0; row < tensor.rows(); row += rowsMax) {
            int rows = Math.min(rowsMax, tensor.rows() - row);
            var to = buffer();
            for (int i = 0; i < rows; i++) {
                fill(tensor, (long) (row + i) * tensor.columns() + from, count, type, to, (long) i * count);
            }
            send(address + (long) row * count * type.bytes(), (long) rows * count * type.bytes());
        }
    }

    /** The next buffer, whose last content has travelled. */
    private MemorySegment buffer() {
        travelled[next].synchronize();
        return buffers[next].data();
    }

    private void send(long address, long bytes) {
        gpu.stream().copyToDevice(address, buffers[next].address(), bytes);
        travelled[next].record(gpu.stream());
        next = 1 - next;
    }

    private static void fill(Tensor tensor, long from, long count, DType type, MemorySegment to, long at) {
        if (tensor.dtype() == type) {
            MemorySegment.copy(tensor.data(), from * type.bytes(), to, at * type.bytes(), count * type.bytes());
            return;
        }
        for (long i = 0; i < count; i++) {
            StoredFloats.set(to, type, at + i, StoredFloats.get(tensor.data(), tensor.dtype(), from + i));
        }
    }
}
