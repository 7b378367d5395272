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
    /** Rows of one copy lie at most so far apart (CU_DEVICE_ATTRIBUTE_MAX_PITCH); layers of a pool beyond 64 GiB lie farther. */
    private static final long PITCH_MAX = Integer.MAX_VALUE;

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
        if (pitch <= PITCH_MAX) {
            beside.copyRowsToHost(pinned.address(), bytes, device, pitch, bytes, layers);
        } else {
            for (int i = 0; i < layers; i++) {
                beside.copyToHost(pinned.address() + i * bytes, device + i * pitch, bytes);
            }
        }
        beside.synchronize();
        MemorySegment.copy(pinned.data(), 0, to, 0, bytes * layers);
    }

    /** The other way. */
    void write(long device, long pitch, long bytes, int layers, MemorySegment from) {
        MemorySegment.copy(from, 0, pinned.data(), 0, bytes * layers);
        if (pitch <= PITCH_MAX) {
            steps.copyRowsToDevice(device, pitch, pinned.address(), bytes, bytes, layers);
        } else {
            for (int i = 0; i < layers; i++) {
                steps.copyToDevice(device + i * pitch, pinned.address() + i * bytes, bytes);
            }
        }
        // The pinned block is given to the next one.
        steps.synchronize();
    }
}
