package dev.kvasir.worker.kernel.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.kvasir.model.weights.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One shape of product, ready to run by any thread: f32 [rows, outputs] = [rows, columns] . [outputs, columns]^T, inputs and
 * weights of one type. Each thread has memory objects of its own, which carry the addresses of a call, and working memory
 * of its own.
 */
final class OnednnProduct implements AutoCloseable {
    private static final long ARGUMENT_BYTES = 16;
    private static final int ARGUMENTS = 4;

    private final Onednn onednn;
    private final MemorySegment primitive;
    private final MemorySegment[] sources;
    private final MemorySegment[] weights;
    private final MemorySegment[] destinations;
    private final MemorySegment[] scratchpads;
    private final MemorySegment[] arguments;
    private final Arena arena = Arena.ofShared();

    /**
     * Compiles it.
     *
     * @param order of the weights, which stays the caller's
     */
    OnednnProduct(Onednn onednn, int rows, int outputs, int columns, DType dtype, MemorySegment order, int threads) {
        this.onednn = onednn;
        var source = onednn.matrixDescriptor(rows, columns, OnednnWeights.type(dtype), columns, 1);
        var destination = onednn.matrixDescriptor(rows, outputs, Onednn.F32, outputs, 1);
        primitive = onednn.matmul(source, order, destination);
        var scratchpad = onednn.scratchpad(source, order, destination);
        long scratchpadBytes = onednn.bytes(scratchpad);
        sources = new MemorySegment[threads];
        weights = new MemorySegment[threads];
        destinations = new MemorySegment[threads];
        scratchpads = new MemorySegment[threads];
        arguments = new MemorySegment[threads];
        for (int i = 0; i < threads; i++) {
            sources[i] = onednn.memory(source);
            weights[i] = onednn.memory(order);
            destinations[i] = onednn.memory(destination);
            scratchpads[i] = onednn.memory(scratchpad);
            onednn.setAddress(
                    scratchpads[i],
                    arena.allocate(Math.max(64, scratchpadBytes), 64).address());
            arguments[i] = arguments(arena, sources[i], weights[i], destinations[i], scratchpads[i]);
        }
        onednn.destroyDescriptor(source);
        onednn.destroyDescriptor(destination);
        onednn.destroyDescriptor(scratchpad);
    }

    private static MemorySegment arguments(
            Arena arena,
            MemorySegment source,
            MemorySegment weights,
            MemorySegment destination,
            MemorySegment scratchpad) {
        var arguments = arena.allocate(ARGUMENTS * ARGUMENT_BYTES, 8);
        argument(arguments, 0, Onednn.ARGUMENT_SOURCE, source);
        argument(arguments, 1, Onednn.ARGUMENT_WEIGHTS, weights);
        argument(arguments, 2, Onednn.ARGUMENT_DESTINATION, destination);
        argument(arguments, 3, Onednn.ARGUMENT_SCRATCHPAD, scratchpad);
        return arguments;
    }

    /** Arguments of one memory to another. */
    static MemorySegment arguments(Arena arena, MemorySegment from, MemorySegment to) {
        var arguments = arena.allocate(2 * ARGUMENT_BYTES, 8);
        argument(arguments, 0, Onednn.ARGUMENT_SOURCE, from);
        argument(arguments, 1, Onednn.ARGUMENT_DESTINATION, to);
        return arguments;
    }

    private static void argument(MemorySegment arguments, int index, int role, MemorySegment memory) {
        arguments.set(JAVA_INT, index * ARGUMENT_BYTES, role);
        arguments.set(ADDRESS, index * ARGUMENT_BYTES + 8, memory);
    }

    void run(int thread, MemorySegment stream, long source, long weight, long destination) {
        onednn.setAddress(sources[thread], source);
        onednn.setAddress(weights[thread], weight);
        onednn.setAddress(destinations[thread], destination);
        onednn.execute(primitive, stream, ARGUMENTS, arguments[thread]);
    }

    @Override
    public void close() {
        for (int i = 0; i < sources.length; i++) {
            onednn.destroyMemory(sources[i]);
            onednn.destroyMemory(weights[i]);
            onednn.destroyMemory(destinations[i]);
            onednn.destroyMemory(scratchpads[i]);
        }
        onednn.destroyPrimitive(primitive);
        arena.close();
    }
}
