package dev.kvasir.worker.forward;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;

/**
 * What a model, or one rank's part of it, needs, by arithmetic alone: before anything is allocated.
 *
 * @param parameterCount elements of all weights
 * @param productParameterCount of them those of matrices that activations are multiplied with, and vectors
 * @param activationBytes of a step, for given limits
 * @param bytesPerBlock of one KV block over all layers
 */
public record ModelMemory(long parameterCount, long productParameterCount, long activationBytes, long bytesPerBlock) {

    /** Of a model that is not split. */
    public static ModelMemory of(ModelConfig config, DecoderLimits limits, int blockSize, KvFormat format) {
        return of(config, Shard.WHOLE, limits, blockSize, format);
    }

    /** Of one rank's part of a model. */
    public static ModelMemory of(
            ModelConfig config, Shard shard, DecoderLimits limits, int blockSize, KvFormat format) {
        long parameterCount = shard.parameterCount(config);
        long lookedUp = config.tied() ? 0 : (long) config.vocabSize() * config.hiddenSize();
        return new ModelMemory(
                parameterCount,
                parameterCount - lookedUp,
                activationBytes(config, shard, limits),
                layout(shard.config(config), blockSize, format).bytesPerBlock());
    }

    /** Bytes of all weights where each is stored in one type. */
    public long weightBytes(DType type) {
        return parameterCount * type.bytes();
    }

    /** Bytes of the weights that activations are multiplied with. */
    public long productBytes(DType type) {
        return productParameterCount * type.bytes();
    }

    /** KV blocks that fit into so many bytes. */
    public int blocksIn(long bytes) {
        return Math.clamp(bytes / bytesPerBlock, 0, Integer.MAX_VALUE);
    }

    /** What a KV block of a model, or of a rank's part of it, holds. */
    public static KvLayout layout(ModelConfig config, int blockSize, KvFormat format) {
        var attention = Activations.attention(config.layers().getFirst());
        return new KvLayout(
                config.layers().size(),
                attention.kvHeadCount(),
                attention.headSize(),
                attention.headSize(),
                blockSize,
                format);
    }

    private static long activationBytes(ModelConfig whole, Shard shard, DecoderLimits limits) {
        var config = shard.config(whole);
        var first = config.layers().getFirst();
        var attention = Activations.attention(first);
        long perRow = (shard.isPart() ? 6L : 4L) * config.hiddenSize()
                + 2L * (attention.querySize() + attention.keySize())
                + 2L * Activations.mlp(first).innerSize();
        // Logits of the part, of all, and where those of all ranks arrive.
        long logits = (shard.isPart() ? 3L : 1L) * config.vocabSize();
        long perLogitRow = config.hiddenSize() + logits;
        return Float.BYTES * (limits.rowsMax() * perRow + limits.logitRowsMax() * perLogitRow);
    }
}
