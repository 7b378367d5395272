package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real processes, as an operator starts and stops them. */
final class ProcessesTest {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(2);

    @TempDir
    private Path folder;

    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void endAll() throws InterruptedException {
        for (var process : processes) {
            process.destroyForcibly().waitFor();
        }
    }

    private Process start(String name, String... arguments) throws IOException {
        var command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Xmx768m",
                "-cp",
                Objects.requireNonNull(System.getProperty("java.class.path")),
                "dev.kvasir.deploy.Kvasir",
                "serve",
                "--data-dir",
                folder.resolve(name).toString(),
                "--ready-file",
                readyFile(name).toString(),
                "--port",
                "0",
                "--grpc-port",
                "0",
                "--num-kv-blocks",
                "512"));
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log(name).toFile());
        builder.environment().put("KVASIR_WARM_UP_TIMEOUT", "0 s");
        var process = builder.start();
        processes.add(process);
        return process;
    }

    private Path readyFile(String name) {
        return folder.resolve(name + ".ready.json");
    }

    private Path log(String name) {
        return folder.resolve(name + ".log");
    }

    private JsonNode awaitReady(String name, Process process) throws IOException {
        long end = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!Files.exists(readyFile(name))) {
            assertThat(process.isAlive() && System.nanoTime() < end)
                    .as(() -> name + " does not become ready:\n" + text(log(name)))
                    .isTrue();
            LockSupport.parkNanos(20_000_000);
        }
        return ApiClient.JSON.readTree(readyFile(name).toFile());
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private static HttpResponse<String> get(URI url) throws IOException, InterruptedException {
        try (var client = HttpClient.newHttpClient()) {
            return client.send(HttpRequest.newBuilder(url).build(), HttpResponse.BodyHandlers.ofString());
        }
    }

    private static String complete(URI url) throws InterruptedException {
        var request = ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("prompt", "What is 17 + 25?")
                .put("max_tokens", 16)
                .put("temperature", 0)
                .put("ignore_eos", true);
        var text = new StringBuilder();
        try (var client = new ApiClient(url)) {
            long end = System.nanoTime() + START_TIMEOUT.toNanos();
            while (true) {
                try {
                    client.stream("/v1/completions", request.deepCopy(), text::append);
                    return text.toString();
                } catch (CommandException e) {
                    // The router has yet to hear of the worker that has just come up.
                    if (!String.valueOf(e.getMessage()).contains("no worker") || System.nanoTime() > end) {
                        throw e;
                    }
                    LockSupport.parkNanos(50_000_000);
                }
            }
        }
    }

    private void assertStopsCleanly(String name, Process process) throws InterruptedException {
        process.destroy();
        assertThat(process.waitFor(60, TimeUnit.SECONDS))
                .as(() -> text(log(name)))
                .isTrue();
        assertThat(process.exitValue()).as(() -> text(log(name))).isZero();
        assertThat(readyFile(name)).doesNotExist();
        assertThat(text(log(name))).doesNotContain("\tat ", "timed out");
    }

    @Test
    void routerAndWorkerInTwoProcessesServeTogether() throws Exception {
        var router = start("router", "--roles", "router");
        var at = awaitReady("router", router);
        var worker = start(
                "worker", "--roles", "worker", "--join", at.path("cluster").asText());
        var workerAt = awaitReady("worker", worker);
        assertThat(workerAt.has("http")).isFalse();
        assertThat(complete(URI.create(at.path("http").asText()))).isNotBlank();
        var status = URI.create(workerAt.path("status").asText());
        assertThat(get(status.resolve("/health")).statusCode()).isEqualTo(200);
        assertThat(get(status.resolve("/metrics")).body())
                .contains("vllm:generation_tokens_total", "jvm_memory_used_bytes");
        assertThat(get(status.resolve("/v1/models")).statusCode()).isEqualTo(404);
        assertStopsCleanly("worker", worker);
        assertStopsCleanly("router", router);
    }

    @Test
    void aServerAnnouncesItselfAndStopsWithStatusZero() throws Exception {
        var server = start("server");
        var at = awaitReady("server", server);
        assertThat(at.path("pid").asLong()).isEqualTo(server.pid());
        assertThat(complete(URI.create(at.path("http").asText()))).isNotBlank();
        assertThat(text(log("server")))
                .contains("curl -N " + at.path("http").asText() + "/v1/chat/completions")
                .contains("grpcurl -plaintext", at.path("grpc").asText() + " kvasir.v1.Inference/Chat")
                .contains("Ready after");
        assertStopsCleanly("server", server);
    }

    @Test
    void aSignalLetsRunningStreamsFinish() throws Exception {
        var server = start("server");
        var at = awaitReady("server", server);
        var request = ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("prompt", "Hello")
                .put("max_tokens", 400)
                .put("ignore_eos", true);
        var signalled = new AtomicBoolean();
        try (var client = new ApiClient(URI.create(at.path("http").asText()))) {
            var end = client.stream("/v1/completions", request, _ -> {
                if (signalled.compareAndSet(false, true)) {
                    server.destroy();
                }
            });
            assertThat(end.finishReason()).isEqualTo("length");
            assertThat(end.completionTokens()).isEqualTo(400);
        }
        assertStopsCleanly("server", server);
    }

    @Test
    void aMemberWithoutAClusterToJoinGivesUp() throws Exception {
        var alone = start(
                "alone",
                "--roles",
                "worker",
                "--join",
                "127.0.0.1:1",
                "--config",
                shortJoin().toString());
        assertThat(alone.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(alone.exitValue()).isEqualTo(Kvasir.FAILURE);
        assertThat(text(log("alone")))
                .contains("could not join the cluster", "127.0.0.1:1")
                .doesNotContain("\tat ");
    }

    private Path shortJoin() throws IOException {
        return Files.writeString(folder.resolve("join.conf"), "kvasir.cluster.join-timeout = 3 s");
    }
}
