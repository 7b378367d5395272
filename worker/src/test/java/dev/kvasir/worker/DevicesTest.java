package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.KernelsFactory;
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
        return choose("device = " + asked, search).onDevice();
    }

    /** GPUs in their order; there are no more than given. */
    private KernelsFactory choose(String settings, GpuSearch... gpus) {
        var config = WorkerConfig.from(ConfigFactory.parseString(settings));
        return Devices.choose(
                config,
                ordinal -> ordinal < gpus.length
                        ? gpus[ordinal]
                        : new GpuSearch.None("the NVIDIA driver knows no such GPU"),
                CpuOptions.defaults(),
                CUDA,
                notices::add);
    }

    private static GpuSearch card(int ordinal) {
        return new GpuSearch.Found(new GpuInfo(ordinal, "A card", 90, 13_000, 100, 1L << 34, 100_000));
    }

    @Test
    void asManyGpusAsRanksAreUsed() {
        assertThat(choose("tensor-parallel-size = 2", card(0), card(1), card(2)).rankCount())
                .isEqualTo(2);
        assertThat(choose("", card(0), card(1)).rankCount()).isEqualTo(1);
        assertThat(notices).isEmpty();
    }

    @Test
    void moreRanksThanGpusAreRefusedWithTheReason() {
        assertThatThrownBy(() -> choose("tensor-parallel-size = 4", card(0), card(1)))
                .hasMessage("kvasir.worker.tensor-parallel-size is 4 but must be at most 2 on this machine: of GPU 2,"
                        + " the NVIDIA driver knows no such GPU");
        assertThatThrownBy(() -> choose("tensor-parallel-size = 2", NONE))
                .hasMessage("kvasir.worker.tensor-parallel-size is 2 but must be 1 on a CPU");
        assertThatThrownBy(() -> choose("tensor-parallel-size = 2, device = cuda", NONE))
                .hasMessageStartingWith("kvasir.worker.device is cuda but must be auto or cpu on this machine");
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
        assertThat(onDevice(WorkerConfig.Device.AUTO, card(0))).isTrue();
        assertThat(onDevice(WorkerConfig.Device.CUDA, card(0))).isTrue();
        assertThat(notices).isEmpty();
    }
}
