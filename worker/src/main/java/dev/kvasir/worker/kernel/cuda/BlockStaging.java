package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.device.Stream;
import java.lang.foreign.MemorySegment;

/**
 * Moves blocks between device and host through one pinned block, a layer's part of it a row. Reading goes on a stream of its
 * own, so that a block can leave while a step is computed.
 */
final class BlockStaging {
    private final Stream steps;
    private final Stream beside;
    private final PinnedMemory pinned;

    BlockStaging(Gpu gpu, long blockBytes) {
        steps = gpu.stream();
        beside = gpu.besideStream();
        pinned = gpu.pinned(blockBytes);
    }

    /** Copies {@code layers} pieces of {@code bytes}, which lie {@code pitch} apart on the device, and waits for them. */
    void read(long device, long pitch, long bytes, int layers, MemorySegment to) {
        beside.copyRowsToHost(pinned.address(), bytes, device, pitch, bytes, layers);
        beside.synchronize();
        MemorySegment.copy(pinned.data(), 0, to, 0, bytes * layers);
    }

    /** The other way. */
    void write(long device, long pitch, long bytes, int layers, MemorySegment from) {
        MemorySegment.copy(from, 0, pinned.data(), 0, bytes * layers);
        steps.copyRowsToDevice(device, pitch, pinned.address(), bytes, bytes, layers);
        // The pinned block is given to the next one.
        steps.synchronize();
    }
}
