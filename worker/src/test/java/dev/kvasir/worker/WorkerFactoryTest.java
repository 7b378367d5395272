package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.ByteString;
import com.typesafe.config.ConfigFactory;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.WeightShapes;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.kernel.KernelsFactory;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.cpu.CpuKernels;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cpu.Determinism;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** From a model folder to tokens, through the worker actor. */
class WorkerFactoryTest {
    private final Random random = new Random(7);
    private static final Duration SOON = Duration.ofSeconds(60);

    private final ActorTestKit kit = ActorTestKit.create("worker-factory-test");

    @AfterEach
    void stop() {
        kit.shutdownTestKit();
    }

    private static ModelFolder folder() {
        try {
            var resource = Objects.requireNonNull(WorkerFactoryTest.class.getResource("/golden/llama-gqa"));
            return ModelFolder.open(Path.of(resource.toURI()));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static WorkerConfig config(String text) {
        return WorkerConfig.from(ConfigFactory.parseString(text));
    }

    private ModelLoader loader(String settings, long availableBytes) {
        return loader(settings, (_, _) -> new ReferenceKernels(), availableBytes);
    }

    private ModelLoader loader(String settings, KernelsFactory kernels, long availableBytes) {
        return new ModelLoader(
                folder(),
                "tiny",
                config(settings),
                kernels,
                7,
                "local",
                () -> availableBytes,
                LoadProgress.NONE,
                PreparationProgress.NONE);
    }

    @Test
    void aModelFolderBecomesAWorkerThatDescribesItselfAndAnswers() {
        var worker = kit.spawn(WorkerFactory.worker(
                kit.system(),
                folder(),
                "tiny",
                config("block-size = 8, max-num-seqs = 4, max-num-batched-tokens = 32, num-kv-blocks = 40"),
                (_, _) -> new ReferenceKernels(),
                new PrometheusRegistry(),
                LoadProgress.NONE));
        var descriptions = kit.<WorkerProtocol.Description>createTestProbe();
        worker.tell(new WorkerProtocol.Describe(descriptions.getRef()));
        var description = descriptions.receiveMessage(SOON);
        assertThat(description.model()).isEqualTo("tiny");
        assertThat(description.totalBlocks()).isEqualTo(40);
        assertThat(description.maxModelLength()).isEqualTo(128);
        assertThat(description.vocabularySize()).isEqualTo(151);
        assertThat(description.kvCacheDtype()).isEqualTo("f32");
        assertThat(description.fingerprint()).hasSize(64);

        var prompt = new int[50];
        Arrays.fill(prompt, 30);
        assertThat(cachedTokens(worker, prompt)).isZero();
        assertThat(cachedTokens(worker, prompt)).isEqualTo(48);
    }

    @Test
    void routersNameBlocksAsTheEngineDoes() {
        var model = loader("block-size = 8, num-kv-blocks = 40", Long.MAX_VALUE).call();
        assertThat(model.settings().kvDtype()).isEqualTo(model.description().kvCacheDtype());
        assertThat(model.settings().kvOrigin()).isEqualTo(model.description().kvOrigin());
        assertThat(model.settings().limits().blockSize())
                .isEqualTo(model.description().blockSize());
        // Blocks with another order of their bytes are others, in block names and in the index.
        assertThat(model.description().kvOrigin()).endsWith("/layout-" + KvLayout.VERSION);
        model.runner().close();
    }

    private int cachedTokens(ActorRef<WorkerProtocol.Command> worker, int[] prompt) {
        var probe = kit.<Delivery>createTestProbe();
        var request =
                new GenerationRequest(RequestId.random(random), "tiny", prompt, SamplingParameters.greedy(4), "", 0);
        worker.tell(new WorkerProtocol.Generate(
                request, Continuation.fresh(1), ByteString.EMPTY, "router", 0, probe.getRef()));
        int cached = 0;
        List<Integer> tokens = new ArrayList<>();
        while (true) {
            switch (((Delivery.Event) probe.receiveMessage(SOON)).event()) {
                case StreamEvent.Accepted _ -> {}
                case StreamEvent.Tokens some -> {
                    cached = some.cachedTokens();
                    some.tokens().stream().map(ScoredToken::token).forEach(tokens::add);
                }
                case StreamEvent.Finished finished -> {
                    assertThat(finished.tokenCount()).isEqualTo(tokens.size());
                    return cached;
                }
                case StreamEvent other -> throw new AssertionError(other);
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeItIsAllocated() {
        assertThatThrownBy(() -> loader("", 1 << 20).call())
                .hasMessageContaining("does not fit")
                .hasMessageContaining("1.0 MiB of memory are available");
        assertThatThrownBy(() -> loader("max-model-len = 4096", 1L << 32).call())
                .hasMessage("kvasir.worker.max-model-len is 4096 but must be at most 128, what the model was made for");
        assertThatThrownBy(() -> loader("num-kv-blocks = 2000000000", 1L << 32).call())
                .hasMessageContaining("kvasir.worker.num-kv-blocks is 2000000000")
                .hasMessageContaining("at most");
    }

    @Test
    void copiesOfWeightsAreCountedBeforeKvBlocks() {
        String settings = "load-format = dummy, max-num-seqs = 512, kv-memory-fraction = 0.5";
        long available = 64L << 20;
        int with = blocksOnCpu(settings, available, 1 << 20);
        int without = blocksOnCpu(settings, available, 0);
        var config = folder().config();
        long copies = 2 * (WeightShapes.parameterCount(config) - (long) config.vocabSize() * config.hiddenSize());
        int bytesPerBlock = 2 * 2 * 16 * 3 * 24 * 2;
        assertThat(without - with).isCloseTo((int) (copies / 2 / bytesPerBlock), within(1));
    }

    private int blocksOnCpu(String settings, long availableBytes, long packedBytesMax) {
        var options = new CpuOptions(1, Determinism.DETERMINISTIC, packedBytesMax, Path.of("target"));
        var model = loader(settings, (_, _) -> new CpuKernels(options), availableBytes)
                .call();
        int blocks = model.description().totalBlocks();
        model.runner().close();
        return blocks;
    }

    @Test
    void dummyWeightsOfTheSameGeometryLoadAndNameAnotherModel() {
        var real = loader("", 1L << 32).call();
        var dummy =
                loader("load-format = dummy, kv-cache-dtype = f16", 1L << 32).call();
        assertThat(dummy.description().fingerprint())
                .isNotEqualTo(real.description().fingerprint());
        assertThat(dummy.description().kvCacheDtype()).isEqualTo("f16");
        assertThat(dummy.description().parameterCount())
                .isEqualTo(real.description().parameterCount());
        real.runner().close();
        dummy.runner().close();
    }

    @Test
    void scaledKeysAndValuesHaveANameOfTheirOwn() {
        var scaled = loader("kv-cache-dtype = fp8_e4m3", 1L << 32).call();
        assertThat(scaled.description().kvCacheDtype()).isEqualTo("fp8");
        assertThat(scaled.settings().kvDtype()).isEqualTo("fp8");
        scaled.runner().close();
    }
}
