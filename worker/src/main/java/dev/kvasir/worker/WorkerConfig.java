package dev.kvasir.worker;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.cuda.ExchangeWay;
import dev.kvasir.worker.schedule.FairnessSettings;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/**
 * Settings of a worker, section {@code kvasir.worker}. Keys have vLLM's names where the meaning is the same.
 *
 * @param blockSize token slots of a KV block
 * @param kvBlocks KV blocks; 0 for as many as memory settings allow
 * @param kvMemoryFraction share of available memory for KV blocks, where their number is left open
 * @param kvMemoryMax most bytes of it
 * @param maxModelLength most tokens of prompt and output together; 0 for what the model was made for
 * @param sequencesMax outputs computed in one step
 * @param batchedTokensMax tokens computed in one step
 * @param waitingMax requests that may wait
 * @param prefixCaching whether KV blocks are reused between requests
 * @param priorityAging waiting time that makes up for one step of priority
 * @param seed of dummy weights
 * @param computeType that a GPU computes in
 * @param packedWeightsMax most bytes of weights kept a second time, in the order that products on the CPU read
 * @param deterministic whether tokens are the same whatever runs beside a request
 * @param gpuMemoryUtilization share of a GPU's memory that the worker may use
 * @param tensorParallelSize GPUs that compute one model together
 * @param exchangeWay how they exchange activations
 * @param fairness how service is shared between tenants
 * @param nameCacheBytes memory for names of blocks of long prompts; 0 for none
 */
public record WorkerConfig(
        int blockSize,
        int kvBlocks,
        double kvMemoryFraction,
        long kvMemoryMax,
        int maxModelLength,
        int sequencesMax,
        int batchedTokensMax,
        int waitingMax,
        boolean prefixCaching,
        Duration priorityAging,
        KvType kvType,
        ComputeType computeType,
        Device device,
        LoadFormat loadFormat,
        long seed,
        long packedWeightsMax,
        Deterministic deterministic,
        double gpuMemoryUtilization,
        int tensorParallelSize,
        ExchangeWay exchangeWay,
        FairnessSettings fairness,
        long nameCacheBytes) {

    /** How keys and values are stored; AUTO is as the model's weights are. FP8 is also known as fp8_e4m3. */
    public enum KvType {
        AUTO,
        F32,
        F16,
        BF16,
        FP8,
        FP8_E4M3;

        /** What is stored beside weights of a type, which AUTO follows. */
        public KvFormat format(DType ofWeights) {
            return switch (this) {
                case AUTO -> KvFormat.of(ofWeights);
                case F32 -> KvFormat.F32;
                case F16 -> KvFormat.F16;
                case BF16 -> KvFormat.BF16;
                case FP8, FP8_E4M3 -> KvFormat.FP8;
            };
        }
    }

    /** Type of weights and activations on a GPU; AUTO is that of the model's weights. A CPU computes in f32. */
    public enum ComputeType {
        AUTO,
        F32,
        F16,
        BF16;

        DType or(DType ofWeights) {
            return this == AUTO ? ofWeights : DType.valueOf(name());
        }
    }

    /** What computes. */
    public enum Device {
        AUTO,
        CPU,
        CUDA
    }

    /** Where weights come from: the model's files, or random numbers. */
    public enum LoadFormat {
        AUTO,
        DUMMY
    }

    /** Same tokens whatever runs beside a request; AUTO where that costs little. */
    public enum Deterministic {
        AUTO,
        TRUE,
        FALSE
    }

    private static final String SECTION = "kvasir.worker.";
    private static final long NAME_CACHE_BYTES_MAX = 1L << 36;
    private static final Config DEFAULTS = ConfigFactory.parseMap(Map.ofEntries(
            Map.entry("block-size", 16),
            Map.entry("num-kv-blocks", 0),
            Map.entry("kv-memory-fraction", 0.25),
            Map.entry("kv-memory-max", "4 GiB"),
            Map.entry("max-model-len", 0),
            Map.entry("max-num-seqs", 64),
            Map.entry("max-num-batched-tokens", 512),
            Map.entry("max-waiting-requests", 256),
            Map.entry("enable-prefix-caching", true),
            Map.entry("priority-aging", "10 s"),
            Map.entry("kv-cache-dtype", "auto"),
            Map.entry("dtype", "auto"),
            Map.entry("device", "auto"),
            Map.entry("load-format", "auto"),
            Map.entry("seed", 0),
            Map.entry("packed-weights-max", "4 GiB"),
            Map.entry("deterministic", "auto"),
            Map.entry("gpu-memory-utilization", 0.9),
            Map.entry("tensor-parallel-size", 1),
            Map.entry("tensor-parallel-exchange", "auto"),
            Map.entry("name-cache", "32 MiB"),
            Map.entry("fairness.input-token-weight", 1),
            Map.entry("fairness.output-token-weight", 2),
            Map.entry("fairness.priority-tokens", 16_384),
            Map.entry("fairness.tenants-max", 4_096)));

    public WorkerConfig {
        between("block-size", blockSize, 1, 1024);
        between("num-kv-blocks", kvBlocks, 0, Integer.MAX_VALUE);
        require(kvMemoryFraction > 0 && kvMemoryFraction <= 0.9, "kv-memory-fraction", kvMemoryFraction, "in (0, 0.9]");
        between("kv-memory-max", kvMemoryMax, 1, Long.MAX_VALUE);
        between("max-model-len", maxModelLength, 0, 1 << 24);
        between("max-num-seqs", sequencesMax, 1, 4096);
        require(
                batchedTokensMax >= sequencesMax && batchedTokensMax <= 1 << 16,
                "max-num-batched-tokens",
                batchedTokensMax,
                "in [max-num-seqs (" + sequencesMax + "), 65536]");
        between("packed-weights-max", packedWeightsMax, 0, Long.MAX_VALUE);
        between("max-waiting-requests", waitingMax, 0, 65_536);
        require(
                !priorityAging.isNegative() && priorityAging.toHours() < 24,
                "priority-aging",
                priorityAging,
                "between 0 and 24 hours");
        require(
                gpuMemoryUtilization > 0 && gpuMemoryUtilization <= 1,
                "gpu-memory-utilization",
                gpuMemoryUtilization,
                "in (0, 1]");
        between("tensor-parallel-size", tensorParallelSize, 1, 8);
        between("name-cache", nameCacheBytes, 0, NAME_CACHE_BYTES_MAX);
    }

    /** Settings with every default. */
    public static WorkerConfig defaults() {
        return from(ConfigFactory.empty());
    }

    /** Reads the section; keys that are absent have their defaults. */
    public static WorkerConfig from(Config section) {
        var config = section.withFallback(DEFAULTS);
        return new WorkerConfig(
                config.getInt("block-size"),
                config.getInt("num-kv-blocks"),
                config.getDouble("kv-memory-fraction"),
                config.getBytes("kv-memory-max"),
                config.getInt("max-model-len"),
                config.getInt("max-num-seqs"),
                config.getInt("max-num-batched-tokens"),
                config.getInt("max-waiting-requests"),
                config.getBoolean("enable-prefix-caching"),
                config.getDuration("priority-aging"),
                word(config, "kv-cache-dtype", KvType.class),
                word(config, "dtype", ComputeType.class),
                word(config, "device", Device.class),
                word(config, "load-format", LoadFormat.class),
                config.getLong("seed"),
                config.getBytes("packed-weights-max"),
                word(config, "deterministic", Deterministic.class),
                config.getDouble("gpu-memory-utilization"),
                config.getInt("tensor-parallel-size"),
                word(config, "tensor-parallel-exchange", ExchangeWay.class),
                fairness(config.getConfig("fairness")),
                config.getBytes("name-cache"));
    }

    private static FairnessSettings fairness(Config section) {
        return new FairnessSettings(
                section.getInt("input-token-weight"),
                section.getInt("output-token-weight"),
                section.getInt("priority-tokens"),
                section.getInt("tenants-max"));
    }

    private static <E extends Enum<E>> E word(Config config, String key, Class<E> type) {
        var value = config.getString(key);
        return Arrays.stream(type.getEnumConstants())
                .filter(constant -> constant.name().equalsIgnoreCase(value))
                .findFirst()
                .orElseThrow(() -> refusal(key, value, "one of " + words(type)));
    }

    private static String words(Class<? extends Enum<?>> type) {
        return Arrays.toString(type.getEnumConstants()).toLowerCase(Locale.ROOT);
    }

    private static void between(String key, long value, long min, long max) {
        require(value >= min && value <= max, key, value, "in [" + min + ", " + max + "]");
    }

    private static void require(boolean holds, String key, Object value, String allowed) {
        if (!holds) {
            throw refusal(key, value, allowed);
        }
    }

    static IllegalArgumentException refusal(String key, Object value, String allowed) {
        return new IllegalArgumentException("%s%s is %s but must be %s".formatted(SECTION, key, value, allowed));
    }
}
