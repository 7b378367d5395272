package dev.kvasir.deploy;

import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.CudaFailure;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.Nvrtc;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/**
 * A program: {@code kvasir serve} on a GPU whose context a kernel then breaks. With the next request the process is to begin
 * anew by itself, serve again and give the same answer; status 0 where it does. Arguments: a folder for files.
 */
final class GpuRestartRun {
    private static final String TRAP = "extern \"C\" __global__ void trap() { asm(\"trap;\"); }";
    private static final long PATIENCE_NANOS = Duration.ofMinutes(2).toNanos();

    private final Path readyFile;
    private final Path answerFile;

    private GpuRestartRun(Path folder) {
        readyFile = folder.resolve("ready.json");
        answerFile = folder.resolve("answer.txt");
    }

    public static void main(String[] arguments) {
        var run = new GpuRestartRun(Path.of(arguments[0]));
        Thread.ofPlatform().daemon().start(run::watch);
        System.exit(Kvasir.commandLine()
                .execute(
                        "serve",
                        "--device",
                        "cuda",
                        "--port",
                        "0",
                        "--grpc-port",
                        "0",
                        "--cluster-port",
                        "0",
                        "--data-dir",
                        arguments[0],
                        "--ready-file",
                        run.readyFile.toString()));
    }

    private void watch() {
        try {
            var answer = answer();
            if (Files.exists(answerFile)) {
                boolean same = Files.readString(answerFile).equals(answer);
                System.out.printf("%s after a new start: %s%n", same ? "ok " : "BAD", answer);
                Runtime.getRuntime().halt(same ? 0 : 1);
            }
            Files.writeString(answerFile, answer);
            breakContext();
            askOnce();
        } catch (IOException | InterruptedException | RuntimeException e) {
            System.out.println("BAD " + e);
            Runtime.getRuntime().halt(1);
        }
    }

    /** The request that meets the broken context; the process begins anew meanwhile or after it. */
    private void askOnce() throws IOException, InterruptedException {
        try {
            System.out.println("BAD answered on a broken context: " + answer());
            Runtime.getRuntime().halt(1);
        } catch (CommandException e) {
            System.out.println("ok  the request fails: " + e.getMessage());
        }
    }

    private String answer() throws IOException, InterruptedException {
        long begin = System.nanoTime();
        while (!Files.exists(readyFile)) {
            if (System.nanoTime() - begin > PATIENCE_NANOS) {
                throw new IOException("it does not serve");
            }
            LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
        }
        var ready = ApiClient.JSON.readTree(Files.readString(readyFile));
        var request = ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("prompt", "What is 17 + 25?")
                .put("max_tokens", 64)
                .put("temperature", 0)
                .put("ignore_eos", true);
        var text = new StringBuilder();
        try (var client = new ApiClient(URI.create(ready.path("http").asText()))) {
            client.stream("/v1/completions", request, text::append);
        }
        return text.toString();
    }

    private static void breakContext() throws IOException {
        if (!(GpuSearch.first() instanceof GpuSearch.Found found)) {
            throw new IOException("no GPU");
        }
        try (var gpu = Gpu.open(found.gpu())) {
            var image =
                    Nvrtc.open("").compile("trap.cu", TRAP, Map.of(), gpu.info().computeCapability());
            gpu.module("trap", image).kernel("trap").launch(gpu.stream(), Grid.of(1, 32), new Arguments());
            gpu.stream().synchronize();
        } catch (CudaFailure e) {
            System.out.println("ok  a trap breaks the context: " + e.getMessage());
        }
    }
}
