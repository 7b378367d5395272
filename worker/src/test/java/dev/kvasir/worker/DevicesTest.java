package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

class DevicesTest {
    private static final CudaOptions CUDA = new CudaOptions(0.9, Path.of("cache"), "");
    private static final GpuSearch NONE = new GpuSearch.None("no NVIDIA driver: libcuda.so.1 cannot be loaded");

    private final ArrayList<String> notices = new ArrayList<>();

    private boolean onDevice(WorkerConfig.Device asked, GpuSearch search) {
        return Devices.choose(asked, search, CpuOptions.defaults(), CUDA, notices::add)
                .onDevice();
    }

    @Test
    void withoutAGpuTheProcessorComputesAndTheReasonIsTold() {
        assertThat(onDevice(WorkerConfig.Device.AUTO, NONE)).isFalse();
        assertThat(notices).containsExactly("no GPU is used: no NVIDIA driver: libcuda.so.1 cannot be loaded");
    }

    @Test
    void aGpuThatIsAskedForAndMissingIsRefusedWithTheReason() {
        assertThatThrownBy(() -> onDevice(WorkerConfig.Device.CUDA, NONE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("kvasir.worker.device is cuda but must be auto or cpu on this machine: no NVIDIA driver:"
                        + " libcuda.so.1 cannot be loaded");
    }

    @Test
    void aGpuIsUsedWhereThereIsOne() {
        var found = new GpuSearch.Found(new GpuInfo(0, "A card", 90, 13_000, 100, 1L << 34, 100_000));
        assertThat(onDevice(WorkerConfig.Device.AUTO, found)).isTrue();
        assertThat(onDevice(WorkerConfig.Device.CUDA, found)).isTrue();
        assertThat(notices).isEmpty();
    }
}
