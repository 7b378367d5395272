package dev.kvasir.worker;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.CudaFailure;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Nvrtc;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.StreamSink;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.cpu.CpuOptions;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A program: what a GPU's failures do to an engine. A launch that cannot be, memory that is not there, and a kernel that
 * breaks the context under running requests; then the model is loaded again in the same process, and says the same, or is
 * refused with CUDA's reason. Status 1 where one of these went otherwise than it should.
 */
final class GpuFaultRun {
    private static final String TRAP = "extern \"C\" __global__ void trap(int much) { if (much > 0) asm(\"trap;\"); }";
    private static final int REQUESTS = 4;
    private static final long PATIENCE_SECONDS = 30;

    private final Path folder;
    private final String settings;
    private boolean wrong;

    private GpuFaultRun(Path folder, String settings) {
        this.folder = folder;
        this.settings = settings;
    }

    /** Arguments: model folder, worker settings as HOCON. */
    public static void main(String[] arguments) throws Exception {
        var run = new GpuFaultRun(Path.of(arguments[0]), arguments[1]);
        run.all();
        System.exit(run.wrong ? 1 : 0);
    }

    private void all() throws Exception {
        var before = tokens(load(0.2));
        tooMuchMemory();
        launchThatCannotBe();
        brokenContext();
        try {
            var after = tokens(load(0.2));
            check("tokens after a new start in the same process", before.equals(after), after);
        } catch (CudaFailure e) { // As CUDA says of a failed launch: the process must be started anew.
            check("a new start in the same process is refused", !e.isOutOfMemory(), e.getMessage());
        }
    }

    private void check(String what, boolean right, @Nullable Object seen) {
        System.out.printf("%s  %s: %s%n", right ? "ok " : "BAD", what, seen);
        wrong |= !right;
    }

    private LoadedModel load(double share) {
        var config = WorkerConfig.from(ConfigFactory.parseString(settings));
        var kernels = Devices.choose(
                config, CpuOptions.defaults(), new CudaOptions(share, Path.of("target", "cuda"), ""), _ -> {});
        return new ModelLoader(
                        ModelFolder.open(folder),
                        "model",
                        config,
                        kernels,
                        1,
                        "here",
                        AvailableMemory::bytes,
                        LoadProgress.NONE,
                        PreparationProgress.NONE)
                .call();
    }

    private static Gpu gpu() {
        return switch (GpuSearch.first()) {
            case GpuSearch.Found found -> Gpu.open(found.gpu());
            case GpuSearch.None none -> throw new IllegalStateException(none.reason());
        };
    }

    private void tooMuchMemory() {
        try (var gpu = gpu();
                var hog = gpu.arena(gpu.freeBytes() - (64L << 20))) {
            load(0.9).runner().close();
            check("start with " + hog.byteSize() + " bytes taken", false, "it started");
        } catch (RuntimeException e) {
            check(
                    "start without memory is refused",
                    String.valueOf(e.getMessage()).contains("GiB"),
                    e.getMessage());
        }
    }

    private void launchThatCannotBe() throws IOException {
        try (var gpu = gpu()) {
            var kernel = gpu.module("trap", image(gpu)).kernel("trap");
            kernel.launch(gpu.stream(), Grid.of(1, 4096), new Arguments().int32(0));
            gpu.stream().synchronize();
            check("launch with 4096 threads", false, "it ran");
        } catch (CudaFailure e) {
            check("launch with 4096 threads", !e.isOutOfMemory(), e.getMessage());
        }
    }

    private static byte[] image(Gpu gpu) throws IOException {
        return Nvrtc.open("").compile("trap.cu", TRAP, Map.of(), gpu.info().computeCapability());
    }

    private void brokenContext() throws Exception {
        var model = load(0.2);
        var failures = new ArrayList<StreamEvent.Failed>();
        var broken = new CompletableFuture<Throwable>();
        var engine = engine(model, broken);
        var heard = new AtomicInteger();
        var ended = new CountDownLatch(REQUESTS);
        for (int i = 0; i < REQUESTS; i++) {
            engine.submit(request(i, 1500, new StreamSink() {
                @Override
                public void publish(StreamEvent event) {
                    heard.incrementAndGet();
                    if (event instanceof StreamEvent.Failed failed) {
                        failures.add(failed);
                    }
                }

                @Override
                public void ended() {
                    ended.countDown();
                }
            }));
        }
        while (heard.get() < 20 * REQUESTS) {
            Thread.onSpinWait();
        }
        try (var gpu = gpu()) {
            var kernel = gpu.module("trap", image(gpu)).kernel("trap");
            kernel.launch(gpu.stream(), Grid.of(1, 32), new Arguments().int32(1));
            gpu.stream().synchronize();
            check("a trap", false, "nothing happened");
        } catch (CudaFailure e) {
            check("a trap breaks the context", true, e.getMessage());
        }
        boolean all = ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        check("all requests ended", all, failures.size() + " failures");
        check(
                "each may go on elsewhere",
                failures.size() == REQUESTS
                        && failures.stream().allMatch(failed -> failed.kind() == FailureKind.UNAVAILABLE),
                failures.isEmpty() ? "none" : failures.getFirst());
        check(
                "the engine says what broke",
                broken.get(PATIENCE_SECONDS, TimeUnit.SECONDS) instanceof CudaFailure,
                broken.get());
        check("the engine ends", engine.awaitEnd(PATIENCE_SECONDS * 1000), "and gives all back");
    }

    private static Engine engine(LoadedModel model, CompletableFuture<Throwable> broken) {
        var core = new EngineCore(model.settings(), model.runner(), GpuEngineRun.UNSEEN);
        var engine =
                new Engine("engine", core, model.runner(), GpuEngineRun.UNSEEN, 64, System::nanoTime, broken::complete);
        engine.start();
        return engine;
    }

    private static ActiveRequest request(int number, int tokens, StreamSink sink) {
        int none = SamplingParameters.NO_LOGPROBS;
        var sampling = new SamplingParameters(
                tokens, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, none,
                none); // Greedy, and never at an end.
        var prompt = new int[] {5 + number, 300, 301, 302, 303};
        var request = new GenerationRequest(new RequestId("r" + number), "model", prompt, sampling, "", 0);
        return new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink);
    }

    /** What the model says, alone. */
    private static List<Integer> tokens(LoadedModel model) throws Exception {
        var said = new ArrayList<Integer>();
        var engine = engine(model, new CompletableFuture<>());
        var ended = new CountDownLatch(1);
        engine.submit(request(0, 64, new StreamSink() {
            @Override
            public void publish(StreamEvent event) {
                if (event instanceof StreamEvent.Tokens some) {
                    some.tokens().forEach(token -> said.add(token.token()));
                }
            }

            @Override
            public void ended() {
                ended.countDown();
            }
        }));
        if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the model says nothing");
        }
        engine.stop();
        engine.awaitEnd(PATIENCE_SECONDS * 1000);
        return said;
    }
}
