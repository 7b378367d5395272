package dev.kvasir.worker.kernel.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One shape of product, ready to run by any thread: f32 [rows, outputs] = bf16 [rows, columns] . bf16 [outputs, columns]^T.
 * Each thread has memory objects of its own, which carry the addresses of a call.
 */
final class OnednnProduct implements AutoCloseable {
    private static final int ARGUMENT_BYTES = 16;

    private final Onednn onednn;
    private final MemorySegment primitive;
    private final MemorySegment[] sources;
    private final MemorySegment[] weights;
    private final MemorySegment[] destinations;
    private final MemorySegment[] arguments;
    private final Arena arena = Arena.ofShared();

    OnednnProduct(Onednn onednn, int rows, int outputs, int columns, long sourceStride, int threads) {
        this.onednn = onednn;
        var source = onednn.matrixDescriptor(rows, columns, Onednn.BF16, sourceStride, 1);
        var weight = onednn.matrixDescriptor(columns, outputs, Onednn.BF16, 1, columns);
        var destination = onednn.matrixDescriptor(rows, outputs, Onednn.F32, outputs, 1);
        primitive = onednn.matmul(source, weight, destination);
        sources = new MemorySegment[threads];
        weights = new MemorySegment[threads];
        destinations = new MemorySegment[threads];
        arguments = new MemorySegment[threads];
        for (int i = 0; i < threads; i++) {
            sources[i] = onednn.memory(source);
            weights[i] = onednn.memory(weight);
            destinations[i] = onednn.memory(destination);
            arguments[i] = arena.allocate(3 * ARGUMENT_BYTES, 8);
            argument(arguments[i], 0, Onednn.ARGUMENT_SOURCE, sources[i]);
            argument(arguments[i], 1, Onednn.ARGUMENT_WEIGHTS, weights[i]);
            argument(arguments[i], 2, Onednn.ARGUMENT_DESTINATION, destinations[i]);
        }
        onednn.destroyDescriptor(source);
        onednn.destroyDescriptor(weight);
        onednn.destroyDescriptor(destination);
    }

    private static void argument(MemorySegment arguments, int index, int role, MemorySegment memory) {
        arguments.set(JAVA_INT, (long) index * ARGUMENT_BYTES, role);
        arguments.set(ADDRESS, (long) index * ARGUMENT_BYTES + 8, memory);
    }

    void run(int thread, MemorySegment stream, long source, long weight, long destination) {
        onednn.setAddress(sources[thread], source);
        onednn.setAddress(weights[thread], weight);
        onednn.setAddress(destinations[thread], destination);
        onednn.execute(primitive, stream, 3, arguments[thread]);
    }

    @Override
    public void close() {
        for (int i = 0; i < sources.length; i++) {
            onednn.destroyMemory(sources[i]);
            onednn.destroyMemory(weights[i]);
            onednn.destroyMemory(destinations[i]);
        }
        onednn.destroyPrimitive(primitive);
        arena.close();
    }
}
