package dev.kvasir.worker.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class CudaOptionsTest {
    @Test
    void aShareOfMemoryIsBetweenNothingAndAll() {
        for (double share : new double[] {0, -1, 1.01, Double.NaN}) {
            assertThatThrownBy(() -> new CudaOptions(share, Path.of("cache"), ""))
                    .hasMessage("memoryUtilization " + share + " is outside (0, 1]");
        }
    }
}
