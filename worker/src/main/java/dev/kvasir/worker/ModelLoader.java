package dev.kvasir.worker;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.forward.ModelMemory;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.runner.DecoderRunner;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Makes a model ready to run: maps or makes weights, decides the size of the KV cache, allocates all that a step needs. What
 * does not fit is refused before it is allocated, with all numbers.
 *
 * @param servedName name that requests ask for
 * @param incarnation one life of the member
 * @param address where the member is reached, for people
 * @param availableBytes of memory that nobody uses
 */
record ModelLoader(
        ModelFolder folder,
        String servedName,
        WorkerConfig config,
        Supplier<Kernels> kernelsSupplier,
        long incarnation,
        String address,
        LongSupplier availableBytes,
        LoadProgress progress)
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
            case DUMMY -> folder.dummyWeights(DUMMY_TYPE, config.seed(), progress);
        };
    }

    private LoadedModel load(ModelWeights weights, int servedLength) {
        var model = folder.config();
        var limits = new SchedulerLimits(
                config.batchedTokensMax(), config.sequencesMax(), config.batchedTokensMax(), config.blockSize());
        var decoderLimits = new DecoderLimits(config.batchedTokensMax(), logitRowsMax(), servedLength);
        var kvType = config.kvType()
                .dtype()
                .or(() -> weights.find(WeightRole.EMBEDDING).map(tensor -> tensor.dtype()))
                .orElseThrow();
        var memory = ModelMemory.of(model, decoderLimits, config.blockSize(), kvType);
        int blocks = KvSizing.blocks(config, memory.bytesPerBlock(), servedLength, leftForKv(weights, memory));

        var kernels = kernelsSupplier.get();
        try {
            var decoder = Decoder.load(kernels, model, weights, decoderLimits);
            var kv = kernels.allocateKv(decoder.layout(config.blockSize(), kvType), blocks);
            var runner =
                    new DecoderRunner(kernels, decoder, kv, config.batchedTokensMax(), config.sequencesMax(), () -> {
                        kernels.close();
                        weights.close();
                    });
            var fingerprint = folder.fingerprint(weights, servedLength).hex();
            return new LoadedModel(
                    description(memory, blocks, servedLength, fingerprint, kvType, kernels.describe()),
                    settings(limits, servedLength, fingerprint, kvType),
                    runner);
        } catch (RuntimeException e) {
            kernels.close();
            throw e;
        }
    }

    /** Rows of the logits matrix: as many as may be wanted, within a bound for large vocabularies. */
    private int logitRowsMax() {
        long fitting = LOGITS_BYTES_MAX / Float.BYTES / folder.config().vocabSize();
        return Math.clamp(fitting, Math.min(8, config.batchedTokensMax()), config.batchedTokensMax());
    }

    private long leftForKv(ModelWeights weights, ModelMemory memory) {
        long available = availableBytes.getAsLong();
        // Random weights are in memory by now; mapped ones will be as they are read.
        long unread = config.loadFormat() == WorkerConfig.LoadFormat.DUMMY
                ? 0
                : weights.source().byteSize();
        long left = available - unread - memory.activationBytes();
        if (left <= 0) {
            throw new IllegalArgumentException(
                    "model %s does not fit: weights of %s and activations of %s, but %s of memory are available"
                            .formatted(
                                    folder.path(),
                                    KvSizing.mebibytes(unread),
                                    KvSizing.mebibytes(memory.activationBytes()),
                                    KvSizing.mebibytes(available)));
        }
        return left;
    }

    private EngineSettings settings(SchedulerLimits limits, int servedLength, String fingerprint, DType kvType) {
        return new EngineSettings(
                servedName,
                incarnation,
                fingerprint,
                kvType.name(),
                servedLength,
                limits,
                config.waitingMax(),
                folder.generation().eosTokenIds().stream()
                        .mapToInt(Integer::intValue)
                        .toArray(),
                config.prefixCaching(),
                config.priorityAging().toNanos());
    }

    private WorkerProtocol.Description description(
            ModelMemory memory, int blocks, int servedLength, String fingerprint, DType kvType, String device) {
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
                memory.parameterCount(),
                kvType.name().toLowerCase(Locale.ROOT),
                device);
    }
}
