package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import org.junit.jupiter.api.Test;

class KvSizingTest {
    private static final long MIB = 1 << 20;

    private static int blocks(String settings, int servedLength, long availableBytes) {
        return KvSizing.blocks(
                WorkerConfig.from(ConfigFactory.parseString(settings)), MIB, servedLength, availableBytes);
    }

    @Test
    void aShareOfAvailableMemoryIsTakenWithinItsBounds() {
        assertThat(blocks("", 1600, 1000 * MIB)).isEqualTo(250);
        assertThat(blocks("kv-memory-max = 200 MiB", 1600, 1000 * MIB)).isEqualTo(200);
        assertThat(blocks("max-num-seqs = 2", 160, 1000 * MIB))
                .as("no more than is of use")
                .isEqualTo(40);
        assertThat(blocks("num-kv-blocks = 120", 1600, 1000 * MIB)).isEqualTo(120);
    }

    private static int deviceBlocks(String settings, int servedLength, long freeBytes) {
        return KvSizing.deviceBlocks(
                WorkerConfig.from(ConfigFactory.parseString(settings)), MIB, servedLength, freeBytes);
    }

    @Test
    void aDeviceGivesAllThatIsLeftButAReserveAndOneBlock() {
        assertThat(deviceBlocks("", 1600, 1033 * MIB)).isEqualTo(1000);
        assertThat(deviceBlocks("num-kv-blocks = 120", 1600, 1033 * MIB)).isEqualTo(120);
        assertThatThrownBy(() -> deviceBlocks("", 1600, 132 * MIB))
                .hasMessage("kvasir.worker.max-model-len is 1600, whose KV cache needs 100 blocks of 1048576 bytes"
                        + " (100.0 MiB), but only 99.0 MiB of GPU memory are left by weights and activations;"
                        + " gpu-memory-utilization is 0.9");
        assertThatThrownBy(() -> deviceBlocks("num-kv-blocks = 1001", 1600, 1033 * MIB))
                .hasMessageContaining("must be at most 1000");
    }

    @Test
    void aCacheThatCannotHoldOneSequenceIsRefusedWithAllNumbers() {
        assertThatThrownBy(() -> blocks("", 1600, 100 * MIB))
                .hasMessage("kvasir.worker.max-model-len is 1600, whose KV cache needs 100 blocks of 1048576 bytes"
                        + " (100.0 MiB), but only 25.0 MiB may be used: 100.0 MiB of memory are available,"
                        + " kv-memory-fraction is 0.25, kv-memory-max 4096.0 MiB");
        assertThatThrownBy(() -> blocks("num-kv-blocks = 99", 1600, 1000 * MIB))
                .hasMessage("kvasir.worker.num-kv-blocks is 99 but must be at least 100 for one sequence of"
                        + " max-model-len");
        assertThatThrownBy(() -> blocks("num-kv-blocks = 2000", 1600, 1000 * MIB))
                .hasMessage("kvasir.worker.num-kv-blocks is 2000 (2000.0 MiB) but must be at most 1000: 1000.0 MiB of"
                        + " memory are available");
    }
}
