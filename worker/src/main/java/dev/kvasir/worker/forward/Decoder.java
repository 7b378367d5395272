package dev.kvasir.worker.forward;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Exchange.Gathering;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.Weight;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The forward pass of every decoder-only transformer: tokens of a batch to logits, keys and values into KV blocks. What
 * sets families apart was decided when it was built. Owns activations, not the weights, kernels or KV storage; used by one
 * thread. A step allocates nothing.
 */
public final class Decoder {
    private final Kernels kernels;
    private final ModelConfig config;
    private final DecoderLimits limits;
    private final Weight embedding;
    private final @Nullable Weight positions;
    private final List<DecoderLayer> layers;
    private final RowNorm finalNorm;
    private final Weight output;
    private final Activations activations;
    private final @Nullable Gathering gathering;

    private Decoder(
            Kernels kernels,
            ModelConfig whole,
            Shard shard,
            @Nullable Exchange exchange,
            DecoderLimits limits,
            DecoderWeights weights) {
        this.kernels = kernels;
        this.config = shard.config(whole);
        this.limits = limits;
        var loader = new DecoderLoader(kernels, config, weights, exchange, limits.servedLength());
        this.embedding = loader.embedding();
        this.positions = loader.positions();
        this.layers = loader.layers();
        this.finalNorm = loader.finalNorm();
        var own = loader.output();
        this.output = own == null ? tied(shard) : own;
        this.gathering = exchange == null ? null : exchange.gathering(limits.logitRowsMax(), shard.vocabulary(whole));
        var logits =
                gathering == null ? kernels.allocateFloats(limits.logitRowsMax(), whole.vocabSize()) : gathering.part();
        this.activations = Activations.allocate(kernels, config, limits, exchange, logits);
    }

    private Weight tied(Shard shard) {
        var rows = shard.output(config);
        return shard.isPart() ? kernels.rows(embedding, rows.from(), rows.count()) : embedding;
    }

    /**
     * Loads weights and makes room for activations.
     *
     * @param weights have to stay open as long as the kernels
     */
    public static Decoder load(Kernels kernels, ModelConfig config, ModelWeights weights, DecoderLimits limits) {
        return load(
                kernels, config, new StoredWeights(kernels, weights, config, Shard.WHOLE, LoadProgress.NONE), limits);
    }

    /** Takes weights from where they come, and makes room for activations. */
    public static Decoder load(Kernels kernels, ModelConfig config, DecoderWeights weights, DecoderLimits limits) {
        requirePositions(config, limits);
        return new Decoder(kernels, config, Shard.WHOLE, null, limits, weights);
    }

    /**
     * The part of a decoder that one rank computes. Ranks exchange while it is loaded, so that all have to do it at once.
     *
     * @param config of the whole model
     * @param weights of this rank
     */
    public static Decoder loadPart(
            Ranks ranks, Shard shard, ModelConfig config, DecoderWeights weights, DecoderLimits limits) {
        requirePositions(config, limits);
        Shard.requireDivisible(config, shard.ranks());
        var exchange = shard.isPart() ? ranks.exchange(shard.rank()) : null;
        return new Decoder(ranks.kernels(shard.rank()), config, shard, exchange, limits, weights);
    }

    private static void requirePositions(ModelConfig config, DecoderLimits limits) {
        if (config.learnedPositions() > 0 && limits.servedLength() > config.learnedPositions()) {
            throw new IllegalArgumentException("%s has %d learned positions, fewer than the served length %d"
                    .formatted(config.architecture(), config.learnedPositions(), limits.servedLength()));
        }
    }

    /** What a KV block of the part of the model that is computed here holds. */
    public KvLayout layout(int blockSize, KvFormat format) {
        return ModelMemory.layout(config, blockSize, format);
    }

    /** Of that part; its vocabulary is the whole one. */
    public ModelConfig config() {
        return config;
    }

    public DecoderLimits limits() {
        return limits;
    }

    /** Computes all rows of a batch and hands out the logits of those that want them. */
    public void forward(Batch batch, KvStorage kv, LogitsSink sink) {
        layers(batch, kv);
        for (int from = 0; from < batch.logitRowCount; from += limits.logitRowsMax()) {
            int count = logitRows(batch, from);
            logits(batch, from, count);
            for (int row = 0; row < count; row++) {
                sink.accept(from + row, logitsMatrix(), row);
            }
        }
    }

    /** Computes all layers for all rows of a batch. */
    public void layers(Batch batch, KvStorage kv) {
        var a = activations;
        kernels.embed(a.hidden(), batch.rowCount, embedding, batch.tokenIds, config.embeddingScale());
        if (positions != null) {
            kernels.addPositions(a.hidden(), batch.rowCount, positions, batch.positions, 0);
        }
        Matrix in = layers.getFirst().attentionNorm().apply(a.normed(), a.hidden(), batch.rowCount);
        for (int i = 0; i < layers.size(); i++) {
            var next = i + 1 < layers.size() ? layers.get(i + 1).attentionNorm() : RowNorm.NONE;
            in = layers.get(i).forward(a, in, batch, kv, next);
        }
    }

    /** Where {@link #logits} puts its result. */
    public Matrix logitsMatrix() {
        return gathering == null ? activations.logits() : gathering.whole();
    }

    /** How many logit rows from {@code from} on are computed together. */
    public int logitRows(Batch batch, int from) {
        return Math.min(limits.logitRowsMax(), batch.logitRowCount - from);
    }

    /** Logits of {@code Batch.logitRows} [from, from + count), after {@link #layers}; overwritten by the next call. */
    public Matrix logits(Batch batch, int from, int count) {
        computeLogits(batch, from, count);
        bringTogether(count);
        return logitsMatrix();
    }

    /** Finds the largest of those logits. They are on one rank alone then, where {@link #choosesFromParts}. */
    public void choose(Choices into, Batch batch, int from, int count) {
        computeLogits(batch, from, count);
        if (gathering != null && gathering.chooses()) {
            gathering.chooseLargest(into, count);
        } else {
            bringTogether(count);
            kernels.chooseLargest(into, logitsMatrix(), count);
        }
    }

    /** Whether ranks find the largest logits without telling each other all: {@link #bringTogether} does that. */
    public boolean choosesFromParts() {
        return gathering != null && gathering.chooses();
    }

    /** Has the first rows of {@link #logitsMatrix} on all ranks. */
    public void bringTogether(int count) {
        if (gathering != null) {
            gathering.gather(count);
        }
    }

    private void computeLogits(Batch batch, int from, int count) {
        var a = activations;
        kernels.gather(a.last(), a.hidden(), batch.logitRows, from, count);
        finalNorm.apply(a.last(), a.last(), count);
        kernels.multiply(a.logits(), a.last(), count, output, null, false);
        if (config.logitScale() != 1 || config.logitSoftcap() != 0) {
            kernels.scale(a.logits(), count, config.logitScale(), config.logitSoftcap());
        }
    }
}
