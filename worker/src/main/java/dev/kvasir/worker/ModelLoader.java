package dev.kvasir.worker;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.forward.DecoderWeights;
import dev.kvasir.worker.forward.ModelMemory;
import dev.kvasir.worker.forward.RandomWeights;
import dev.kvasir.worker.forward.Shard;
import dev.kvasir.worker.forward.StoredWeights;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KernelsFactory;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.runner.DecoderRank;
import dev.kvasir.worker.runner.DecoderRunner;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.LongSupplier;

/**
 * Makes a model ready to run: maps or makes weights, decides the size of the KV cache, allocates all that a step needs. What
 * does not fit is refused before it is allocated, with all numbers.
 *
 * @param servedName name that requests ask for
 * @param incarnation one life of the member
 * @param address where the member is reached, for people
 * @param kernelsFactory opens what computes, once
 * @param availableBytes of memory that nobody uses
 * @param progress told of weights
 * @param preparation told of what is made ready after them
 */
record ModelLoader(
        ModelFolder folder,
        String servedName,
        WorkerConfig config,
        KernelsFactory kernelsFactory,
        long incarnation,
        String address,
        LongSupplier availableBytes,
        LoadProgress progress,
        PreparationProgress preparation)
        implements Callable<LoadedModel> {
    /** Type of random weights. */
    private static final DType DUMMY_TYPE = DType.BF16;

    private static final long LOGITS_BYTES_MAX = 64L << 20;

    @Override
    public LoadedModel call() {
        int servedLength = servedLength();
        var weights = weights();
        try {
            return load(weights, servedLength);
        } catch (RuntimeException e) {
            weights.close();
            throw e;
        }
    }

    private int servedLength() {
        int made = folder.config().maxPositions();
        if (config.maxModelLength() > made) {
            throw WorkerConfig.refusal(
                    "max-model-len", config.maxModelLength(), "at most " + made + ", what the model was made for");
        }
        return config.maxModelLength() == 0 ? made : config.maxModelLength();
    }

    private ModelWeights weights() {
        return switch (config.loadFormat()) {
            case AUTO -> folder.weights(ModelFolder.Check.WHEN_SMALL, progress);
            case DUMMY ->
                kernelsFactory.onDevice()
                        ? folder.weightsMadeElsewhere(DUMMY_TYPE, dummySeed())
                        : folder.dummyWeights(DUMMY_TYPE, config.seed(), progress);
        };
    }

    /** Ranks make numbers of their own: another number of ranks has other weights, and must not share KV blocks. */
    private long dummySeed() {
        return config.seed() + ((kernelsFactory.rankCount() - 1L) << 48);
    }

    private LoadedModel load(ModelWeights weights, int servedLength) {
        var model = folder.config();
        var limits = new SchedulerLimits(
                config.batchedTokensMax(), config.sequencesMax(), config.batchedTokensMax(), config.blockSize());
        var decoderLimits = new DecoderLimits(config.batchedTokensMax(), logitRowsMax(), servedLength);
        var type = dummyOnDevice()
                ? DUMMY_TYPE
                : weights.find(WeightRole.EMBEDDING).map(Tensor::dtype).orElseThrow();
        var kvFormat = config.kvType().format(type);
        var computeType = config.computeType().or(type);
        int rankCount = kernelsFactory.rankCount();
        Shard.requireDivisible(model, rankCount);
        // The first rank has at least as much as any other.
        var memory = ModelMemory.of(model, new Shard(0, rankCount), decoderLimits, config.blockSize(), kvFormat);
        var stepLimits = new StepLimits(
                config.batchedTokensMax(), config.sequencesMax(), Math.ceilDiv(servedLength, config.blockSize()));

        var ranks = kernelsFactory.openRanks(computeType, stepLimits);
        try {
            ranks.freeBytes().ifPresent(free -> requireRoom(free, memory, computeType));
            int blocksOnHost = kernelsFactory.onDevice()
                    ? 0
                    : KvSizing.blocks(
                            config,
                            memory.bytesPerBlock(),
                            servedLength,
                            leftForKv(weights, memory, ranks.kernels(0), type));
            var decoders = new Decoder[rankCount];
            ranks.each(rank -> {
                var shard = new Shard(rank, rankCount);
                var own = decoderWeights(ranks.kernels(rank), weights, type, shard);
                decoders[rank] = Decoder.loadPart(ranks, shard, model, own, decoderLimits);
            });
            var free = ranks.freeBytes();
            int blocks = free.isPresent()
                    ? KvSizing.deviceBlocks(config, memory.bytesPerBlock(), servedLength, free.getAsLong())
                    : blocksOnHost;
            var runner = runner(ranks, decoders, blocks, kvFormat, weights);
            runner.prepare(preparation);
            var fingerprint = folder.fingerprint(weights, servedLength).hex();
            var description = description(blocks, servedLength, fingerprint, kvFormat, ranks);
            return new LoadedModel(
                    description, settings(limits, servedLength, description.kvOrigin(), kvFormat), runner);
        } catch (RuntimeException e) {
            ranks.close();
            throw e;
        }
    }

    private DecoderRunner runner(Ranks ranks, Decoder[] decoders, int blocks, KvFormat kvFormat, ModelWeights weights) {
        var all = new DecoderRank[decoders.length];
        ranks.each(rank -> {
            var kernels = ranks.kernels(rank);
            var kv = kernels.allocateKv(decoders[rank].layout(config.blockSize(), kvFormat), blocks);
            all[rank] = new DecoderRank(kernels, decoders[rank], kv, config.batchedTokensMax(), config.sequencesMax());
        });
        var layout = ModelMemory.layout(folder.config(), config.blockSize(), kvFormat);
        return new DecoderRunner(ranks, List.of(all), layout, () -> {
            ranks.close();
            weights.close();
        });
    }

    private boolean dummyOnDevice() {
        return config.loadFormat() == WorkerConfig.LoadFormat.DUMMY && kernelsFactory.onDevice();
    }

    /** Progress is told of the first rank: the others load as much at the same time. */
    private DecoderWeights decoderWeights(Kernels kernels, ModelWeights weights, DType type, Shard shard) {
        if (dummyOnDevice()) {
            return new RandomWeights(kernels, folder.config(), shard, type, dummySeed());
        }
        var told = kernelsFactory.onDevice() && shard.rank() == 0 ? progress : LoadProgress.NONE;
        return new StoredWeights(kernels, weights, folder.config(), shard, told);
    }

    /** Rows of the logits matrix: as many as may be wanted, within a bound for large vocabularies. */
    private int logitRowsMax() {
        long fitting = LOGITS_BYTES_MAX / Float.BYTES / folder.config().vocabSize();
        // A device computes all sequences' logits of a step at once.
        int least = kernelsFactory.onDevice() ? config.sequencesMax() : Math.min(8, config.batchedTokensMax());
        return Math.clamp(fitting, least, config.batchedTokensMax());
    }

    /** Refuses, before anything is loaded, what a device cannot hold. */
    private void requireRoom(long freeBytes, ModelMemory memory, DType type) {
        long weightBytes = memory.weightBytes(type);
        long activationBytes = memory.activationBytes() / Float.BYTES * type.bytes();
        if (weightBytes + activationBytes > freeBytes) {
            throw new IllegalArgumentException(
                    "model %s does not fit: weights of %s and activations of %s, but %s of GPU memory may be used"
                            .formatted(
                                    folder.path(),
                                    KvSizing.mebibytes(weightBytes),
                                    KvSizing.mebibytes(activationBytes),
                                    KvSizing.mebibytes(freeBytes)));
        }
    }

    private long leftForKv(ModelWeights weights, ModelMemory memory, Kernels kernels, DType type) {
        long available = availableBytes.getAsLong();
        // Random weights are in memory by now; mapped ones will be as they are read.
        boolean mapped = config.loadFormat() != WorkerConfig.LoadFormat.DUMMY;
        long unread = mapped ? weights.source().byteSize() : 0;
        long copies = kernels.copyBytes(type, memory.productBytes(type), mapped);
        long left = available - unread - copies - memory.activationBytes();
        if (left <= 0) {
            throw new IllegalArgumentException(
                    ("model %s does not fit: weights of %s, copies of them of %s (packed-weights-max) and activations of"
                                    + " %s, but %s of memory are available")
                            .formatted(
                                    folder.path(),
                                    KvSizing.mebibytes(unread),
                                    KvSizing.mebibytes(copies),
                                    KvSizing.mebibytes(memory.activationBytes()),
                                    KvSizing.mebibytes(available)));
        }
        return left;
    }

    private EngineSettings settings(SchedulerLimits limits, int servedLength, String kvOrigin, KvFormat kvFormat) {
        return new EngineSettings(
                servedName,
                incarnation,
                kvOrigin,
                name(kvFormat),
                servedLength,
                limits,
                config.waitingMax(),
                folder.generation().eosTokenIds().stream()
                        .mapToInt(Integer::intValue)
                        .toArray(),
                config.prefixCaching(),
                config.priorityAging().toNanos(),
                config.fairness(),
                config.nameCacheBytes());
    }

    /** One name for all: block hashes of workers and routers must be the same. */
    private static String name(KvFormat kvFormat) {
        return kvFormat.name().toLowerCase(Locale.ROOT);
    }

    private WorkerProtocol.Description description(
            int blocks, int servedLength, String fingerprint, KvFormat kvFormat, Ranks ranks) {
        return new WorkerProtocol.Description(
                WorkerProtocol.VERSION,
                address,
                incarnation,
                servedName,
                folder.config().architecture(),
                fingerprint,
                config.blockSize(),
                blocks,
                servedLength,
                folder.config().vocabSize(),
                WeightShapes.parameterCount(folder.config()),
                name(kvFormat),
                ranks.describe(),
                ranks.numerics() + "/layout-" + KvLayout.VERSION);
    }
}
