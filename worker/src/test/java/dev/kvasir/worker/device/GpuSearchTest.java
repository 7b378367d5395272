package dev.kvasir.worker.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class GpuSearchTest {
    private static GpuInfo gpu(int computeCapability) {
        return new GpuInfo(0, "A card", computeCapability, 13_000, 100, 1L << 34, 100_000);
    }

    @Test
    void withoutADriverNothingIsUsedAndTheLibraryIsNamed() {
        assertThat(GpuSearch.first("libno-such-driver.so.1"))
                .isEqualTo(new GpuSearch.None("no NVIDIA driver: libno-such-driver.so.1 cannot be loaded"));
    }

    @Test
    void tooOldACardIsRefusedWithItsCapability() {
        assertThat(GpuSearch.judge(Optional.of(gpu(75))))
                .isEqualTo(new GpuSearch.None("A card has compute capability 7.5, and 8.0 is the least"));
        assertThat(GpuSearch.judge(Optional.empty())).isEqualTo(new GpuSearch.None("the NVIDIA driver knows no GPU"));
        assertThat(GpuSearch.judge(Optional.of(gpu(80)))).isEqualTo(new GpuSearch.Found(gpu(80)));
    }

    @Test
    void versionsReadAsPeopleWriteThem() {
        assertThat(gpu(90).capability()).isEqualTo("9.0");
        assertThat(gpu(90).driver()).isEqualTo("13.0");
    }
}
