package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.device.Stream;
import dev.kvasir.worker.kernel.Choices;
import java.lang.foreign.ValueLayout;

/** The largest logit of each row: one thread block per row, then one small copy to the host. */
final class Largest {
    private static final int THREADS = 1024;

    private final Stream stream;
    private final DeviceKernel largest;

    Largest(KernelLibrary library, Stream stream) {
        this.stream = stream;
        largest = library.kernel("Largest", "largest");
    }

    /** Bytes of the choices of so many rows: an id and a logit each. */
    static long byteSize(int rows) {
        return 8L * rows;
    }

    /** Where choices are made, and where the host reads them. */
    record CudaChoices(Stream stream, long device, PinnedMemory host) implements Choices {
        @Override
        public void await() {
            stream.synchronize();
        }

        @Override
        public int token(int row) {
            return host.data().get(ValueLayout.JAVA_INT, 8L * row);
        }

        @Override
        public float logit(int row) {
            return host.data().get(ValueLayout.JAVA_FLOAT, 8L * row + 4);
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
        stream.copyToHost(choices.host().address(), choices.device(), byteSize(rows));
    }
}
