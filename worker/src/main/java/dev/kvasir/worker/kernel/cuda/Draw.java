package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.kernel.Draws;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Draws tokens by chance where the logits are: one thread block per row. The choices replace those of the largest. */
final class Draw {
    private static final int THREADS = 1024;

    private final Gpu gpu;
    private final DeviceKernel draw;
    private final int requestsMax;
    private final int entriesMax;
    private final long device;
    private final Staging[] stagings = new Staging[2];
    private int turn;

    /** Filled by the host while the one before may not have travelled yet. */
    private record Staging(PinnedMemory memory, Event travelled) {}

    Draw(Gpu gpu, KernelLibrary library, DeviceArena arena, int requestsMax, int entriesMax) {
        this.gpu = gpu;
        this.requestsMax = requestsMax;
        this.entriesMax = entriesMax;
        draw = library.kernel("Draw", "draw");
        device = arena.allocate(byteSize());
        for (int i = 0; i < stagings.length; i++) {
            stagings[i] = new Staging(gpu.pinned(byteSize()), gpu.event());
        }
    }

    private long requestBytes() {
        return 4L * Draws.WORDS * requestsMax;
    }

    /** Requests, ids, values. */
    private long byteSize() {
        return requestBytes() + 8L * entriesMax;
    }

    void run(Largest.CudaChoices choices, CudaMatrix logits, Draws draws) {
        var stream = gpu.stream();
        var staging = stagings[turn];
        turn = (turn + 1) % stagings.length;
        staging.travelled().synchronize();
        long ids = requestBytes();
        long values = ids + 4L * entriesMax;
        copy(draws.requests(), draws.count() * Draws.WORDS, staging, 0);
        copy(draws.ids(), draws.entries(), staging, ids);
        copy(draws.values(), draws.entries(), staging, values);
        staging.travelled().record(stream);
        draw.launch(
                stream,
                Grid.of(draws.count(), THREADS),
                new Arguments()
                        .pointer(logits.address())
                        .int32(logits.stride())
                        .int32(logits.columns())
                        .pointer(device)
                        .pointer(device + ids)
                        .pointer(device + values)
                        .pointer(choices.device()));
    }

    private void copy(int[] from, int count, Staging staging, long offset) {
        if (count > 0) {
            var host = staging.memory();
            MemorySegment.copy(from, 0, host.data(), ValueLayout.JAVA_INT, offset, count);
            gpu.stream().copyToDevice(device + offset, host.address() + offset, 4L * count);
        }
    }
}
