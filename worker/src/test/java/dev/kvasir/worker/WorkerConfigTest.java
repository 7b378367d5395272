package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.cuda.ExchangeWay;
import dev.kvasir.worker.schedule.FairnessSettings;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkerConfigTest {
    private static WorkerConfig parse(String text) {
        return WorkerConfig.from(ConfigFactory.parseString(text));
    }

    @Test
    void defaultsAreWhatTheReferenceSays() {
        assertThat(WorkerConfig.defaults())
                .isEqualTo(new WorkerConfig(
                        16,
                        0,
                        0.25,
                        4L << 30,
                        0,
                        64,
                        512,
                        256,
                        true,
                        Duration.ofSeconds(10),
                        WorkerConfig.KvType.AUTO,
                        WorkerConfig.ComputeType.AUTO,
                        WorkerConfig.Device.AUTO,
                        WorkerConfig.LoadFormat.AUTO,
                        0,
                        4L << 30,
                        WorkerConfig.Deterministic.AUTO,
                        0.9,
                        1,
                        ExchangeWay.AUTO,
                        FairnessSettings.defaults(),
                        32 << 20));
    }

    @Test
    void everyKeyIsRead() {
        assertThat(parse("""
                                block-size = 8
                                num-kv-blocks = 100
                                kv-memory-fraction = 0.5
                                kv-memory-max = 1 MiB
                                max-model-len = 77
                                max-num-seqs = 3
                                max-num-batched-tokens = 33
                                max-waiting-requests = 4
                                enable-prefix-caching = false
                                priority-aging = 2 s
                                kv-cache-dtype = bf16
                                dtype = f32
                                device = cpu
                                load-format = Dummy
                                seed = 9
                                packed-weights-max = 5 MiB
                                deterministic = false
                                gpu-memory-utilization = 0.5
                                tensor-parallel-size = 2
                                tensor-parallel-exchange = peer
                                name-cache = 7 MiB
                                fairness {
                                    input-token-weight = 3
                                    output-token-weight = 4
                                    priority-tokens = 5
                                    tenants-max = 6
                                }
                                """))
                .isEqualTo(new WorkerConfig(
                        8,
                        100,
                        0.5,
                        1 << 20,
                        77,
                        3,
                        33,
                        4,
                        false,
                        Duration.ofSeconds(2),
                        WorkerConfig.KvType.BF16,
                        WorkerConfig.ComputeType.F32,
                        WorkerConfig.Device.CPU,
                        WorkerConfig.LoadFormat.DUMMY,
                        9,
                        5 << 20,
                        WorkerConfig.Deterministic.FALSE,
                        0.5,
                        2,
                        ExchangeWay.PEER,
                        new FairnessSettings(3, 4, 5, 6),
                        7 << 20));
        assertThat(WorkerConfig.KvType.BF16.format(DType.F32)).isEqualTo(KvFormat.BF16);
        assertThat(WorkerConfig.KvType.AUTO.format(DType.F16)).isEqualTo(KvFormat.F16);
        assertThat(parse("kv-cache-dtype = fp8_e4m3").kvType().format(DType.BF16))
                .isEqualTo(KvFormat.FP8)
                .isEqualTo(parse("kv-cache-dtype = fp8").kvType().format(DType.BF16));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "block-size = 0 | kvasir.worker.block-size is 0 but must be in [1, 1024]",
                "num-kv-blocks = -1 | kvasir.worker.num-kv-blocks is -1 but must be in [0, 2147483647]",
                "kv-memory-fraction = 1.5 | kvasir.worker.kv-memory-fraction is 1.5 but must be in (0, 0.9]",
                "max-model-len = -5 | kvasir.worker.max-model-len is -5 but must be in [0, 16777216]",
                "max-num-seqs = 0 | kvasir.worker.max-num-seqs is 0 but must be in [1, 4096]",
                "max-num-batched-tokens = 8 | kvasir.worker.max-num-batched-tokens is 8 but must be in [max-num-seqs (64), 65536]",
                "max-waiting-requests = -1 | kvasir.worker.max-waiting-requests is -1 but must be in [0, 65536]",
                "priority-aging = -1 s | kvasir.worker.priority-aging is PT-1S but must be between 0 and 24 hours",
                "kv-cache-dtype = fp4 | kvasir.worker.kv-cache-dtype is fp4 but must be one of [auto, f32, f16, bf16, fp8, fp8_e4m3]",
                "dtype = int8 | kvasir.worker.dtype is int8 but must be one of [auto, f32, f16, bf16]",
                "deterministic = maybe | kvasir.worker.deterministic is maybe but must be one of [auto, true, false]",
                "device = tpu | kvasir.worker.device is tpu but must be one of [auto, cpu, cuda]",
                "gpu-memory-utilization = 1.5 | kvasir.worker.gpu-memory-utilization is 1.5 but must be in (0, 1]",
                "tensor-parallel-size = 9 | kvasir.worker.tensor-parallel-size is 9 but must be in [1, 8]",
                "tensor-parallel-exchange = mpi | kvasir.worker.tensor-parallel-exchange is mpi but must be one of [auto, nccl, peer, fused]",
                "fairness.output-token-weight = 0 | kvasir.worker.fairness.output-token-weight is 0 but must be in [1, 1000]",
                "name-cache = 65 GiB | kvasir.worker.name-cache is 69793218560 but must be in [0, 68719476736]",
                "load-format = pt | kvasir.worker.load-format is pt but must be one of [auto, dummy]",
            })
    void whatCannotBeIsRefusedNamingKeyValueAndLimit(String text, String message) {
        assertThatThrownBy(() -> parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(message);
    }
}
