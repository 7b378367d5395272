package dev.kvasir.deploy;

import dev.kvasir.deploy.Settings.Flag;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about model and engine, shared by all commands that run one. Values are checked where settings are read. */
final class ModelFlags {
    static final Flag MODEL = new Flag("--model", "kvasir.model");

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "Settings in HOCON; every key is explained in reference.conf.")
    private @Nullable Path configFile;

    @Option(
            names = "--model",
            paramLabel = "DIR",
            description = "Model folder as on Hugging Face (default: the bundled demo model).")
    private @Nullable String model;

    @Option(
            names = "--served-model-name",
            paramLabel = "NAME",
            description = "Name in the API (default: the folder's name).")
    private @Nullable String servedModelName;

    @Option(
            names = "--max-model-len",
            paramLabel = "TOKENS",
            description = "Most tokens of prompt and output together (default: the model's).")
    private @Nullable String maxModelLength;

    @Option(names = "--block-size", paramLabel = "TOKENS", description = "Token slots of a KV block.")
    private @Nullable String blockSize;

    @Option(names = "--max-num-seqs", paramLabel = "N", description = "Most sequences computed in one step.")
    private @Nullable String sequencesMax;

    @Option(names = "--max-num-batched-tokens", paramLabel = "N", description = "Most tokens computed in one step.")
    private @Nullable String batchedTokensMax;

    @Option(names = "--kv-cache-dtype", paramLabel = "TYPE", description = "auto, f32, f16, bf16 or fp8.")
    private @Nullable String kvCacheType;

    @Option(names = "--dtype", paramLabel = "TYPE", description = "What a GPU computes in: auto, f32, f16 or bf16.")
    private @Nullable String computeType;

    @Option(names = "--device", paramLabel = "DEVICE", description = "auto (a GPU where there is one), cpu or cuda.")
    private @Nullable String device;

    @Option(
            names = "--load-format",
            paramLabel = "FORMAT",
            description = "auto, or dummy for random weights of the model's geometry.")
    private @Nullable String loadFormat;

    @Option(
            names = "--deterministic",
            paramLabel = "WHEN",
            arity = "0..1",
            fallbackValue = "true",
            description =
                    "Same tokens whatever else runs beside a request: true, false, or auto, where it costs little.")
    private @Nullable String deterministic;

    @Option(
            names = "--packed-weights-max",
            paramLabel = "SIZE",
            description = "Most memory for bf16 weights in the order that products on the CPU read, such as 2GiB.")
    private @Nullable String packedWeightsMax;

    @Option(
            names = "--num-kv-blocks",
            paramLabel = "N",
            description = "KV blocks (default: as many as memory settings allow).")
    private @Nullable String kvBlocks;

    @Option(
            names = "--kv-memory-fraction",
            paramLabel = "F",
            description = "Share of available memory for KV blocks, in (0, 0.9].")
    private @Nullable String kvMemoryFraction;

    @Option(names = "--kv-memory-max", paramLabel = "SIZE", description = "Most memory for KV blocks, such as 2GiB.")
    private @Nullable String kvMemoryMax;

    @Option(
            names = "--gpu-memory-utilization",
            paramLabel = "F",
            description = "Share of the GPU's memory that the worker may use, in (0, 1] (default: 0.9).")
    private @Nullable String gpuMemoryUtilization;

    @Option(
            names = {"--tensor-parallel-size", "-tp"},
            paramLabel = "N",
            description = "GPUs of this host that compute the model together (default: 1).")
    private @Nullable String tensorParallelSize;

    @Option(
            names = "--tensor-parallel-exchange",
            paramLabel = "WAY",
            description =
                    "How they exchange activations: auto, nccl, peer (reading each other's memory) or fused (the same with the"
                            + " norms that follow).")
    private @Nullable String exchangeWay;

    @Option(
            names = "--enable-prefix-caching",
            negatable = true,
            description = "Reuse KV blocks between requests that begin alike (default: on).")
    private @Nullable Boolean prefixCaching;

    @Nullable
    Path configFile() {
        return configFile;
    }

    /** What was given, by key. */
    Map<Flag, String> given() {
        var given = new LinkedHashMap<Flag, String>();
        put(given, MODEL.name(), MODEL.key(), model);
        put(given, "--served-model-name", "kvasir.served-model-name", servedModelName);
        put(given, "--max-model-len", "kvasir.worker.max-model-len", maxModelLength);
        put(given, "--block-size", "kvasir.worker.block-size", blockSize);
        put(given, "--max-num-seqs", "kvasir.worker.max-num-seqs", sequencesMax);
        put(given, "--max-num-batched-tokens", "kvasir.worker.max-num-batched-tokens", batchedTokensMax);
        put(given, "--kv-cache-dtype", "kvasir.worker.kv-cache-dtype", kvCacheType);
        put(given, "--dtype", "kvasir.worker.dtype", computeType);
        put(given, "--device", "kvasir.worker.device", device);
        put(given, "--load-format", "kvasir.worker.load-format", loadFormat);
        put(given, "--deterministic", "kvasir.worker.deterministic", deterministic);
        put(given, "--packed-weights-max", "kvasir.worker.packed-weights-max", packedWeightsMax);
        put(given, "--num-kv-blocks", "kvasir.worker.num-kv-blocks", kvBlocks);
        put(given, "--kv-memory-fraction", "kvasir.worker.kv-memory-fraction", kvMemoryFraction);
        put(given, "--kv-memory-max", "kvasir.worker.kv-memory-max", kvMemoryMax);
        put(given, "--gpu-memory-utilization", "kvasir.worker.gpu-memory-utilization", gpuMemoryUtilization);
        put(given, "--tensor-parallel-size", "kvasir.worker.tensor-parallel-size", tensorParallelSize);
        put(given, "--tensor-parallel-exchange", "kvasir.worker.tensor-parallel-exchange", exchangeWay);
        put(
                given,
                "--enable-prefix-caching",
                "kvasir.worker.enable-prefix-caching",
                prefixCaching == null ? null : prefixCaching.toString());
        return given;
    }

    static void put(Map<Flag, String> given, String flag, String key, @Nullable String value) {
        if (value != null) {
            given.put(new Flag(flag, key), value);
        }
    }
}
