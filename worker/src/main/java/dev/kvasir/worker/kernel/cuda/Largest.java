package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceArena;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Choices;
import java.lang.foreign.ValueLayout;

/** The largest logit of each row: one thread block per row. */
final class Largest {
    private static final int THREADS = 1024;
    /** Bytes of a choice: an id and a logit. */
    private static final long CHOICE_BYTES = 8;

    private final Stream stream;
    private final DeviceKernel largest;

    Largest(KernelLibrary library, Stream stream) {
        this.stream = stream;
        largest = library.kernel("Largest", "largest");
    }

    /** Where choices are made, and two places where the host reads them in turn. */
    static final class CudaChoices implements Choices {
        private final Stream stream;
        private final long device;
        private final Landed[] landed = new Landed[2];
        private int next;

        CudaChoices(Gpu gpu, DeviceArena arena, int rowsMax) {
            stream = gpu.stream();
            device = arena.allocate(CHOICE_BYTES * rowsMax);
            stream.clear(device, CHOICE_BYTES * rowsMax);
            for (int i = 0; i < landed.length; i++) {
                landed[i] = new Landed(gpu.pinned(CHOICE_BYTES * rowsMax), gpu.event());
            }
        }

        /** Pairs of id and logit, where the next step finds them too. */
        long device() {
            return device;
        }

        @Override
        public Reading read(int rows) {
            var reading = landed[next];
            next = (next + 1) % landed.length;
            if (rows > 0) {
                stream.copyToHost(reading.host().address(), device, CHOICE_BYTES * rows);
            }
            reading.copied().record(stream);
            return reading;
        }
    }

    private record Landed(PinnedMemory host, Event copied) implements Choices.Reading {
        @Override
        public void await() {
            copied.synchronize();
        }

        @Override
        public int token(int row) {
            return host.data().get(ValueLayout.JAVA_INT, CHOICE_BYTES * row);
        }

        @Override
        public float logit(int row) {
            return host.data().get(ValueLayout.JAVA_FLOAT, CHOICE_BYTES * row + 4);
        }
    }

    void run(CudaChoices choices, CudaMatrix logits, int rows) {
        largest.launchEarly(
                stream,
                Grid.of(rows, THREADS),
                new Arguments()
                        .pointer(logits.address())
                        .int32(logits.stride())
                        .int32(logits.columns())
                        .pointer(choices.device()));
    }
}
