package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A member of a cluster in a process of its own, to which anything may happen. */
final class MemberProcess {
    private static final Duration START_TIMEOUT = Duration.ofMinutes(3);

    private final String name;
    private final Path folder;
    private final Process process;

    private MemberProcess(String name, Path folder, Process process) {
        this.name = name;
        this.folder = folder;
        this.process = process;
    }

    static MemberProcess start(Path folder, String name, String... arguments) throws IOException {
        var command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-Xmx768m",
                "-XX:+UseSerialGC",
                "-cp",
                Objects.requireNonNull(System.getProperty("java.class.path")),
                "dev.kvasir.deploy.Kvasir",
                "serve",
                "--data-dir",
                folder.resolve(name).toString(),
                "--ready-file",
                folder.resolve(name + ".ready.json").toString(),
                "--port",
                "0",
                "--grpc-port",
                "0",
                "--num-kv-blocks",
                "1024"));
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".log").toFile());
        builder.environment().put("KVASIR_WARM_UP_TIMEOUT", "0 s");
        builder.environment().put("KVASIR_DETERMINISTIC", "true");
        // Several processes on a busy machine: a second is too easily missed.
        builder.environment().put("KVASIR_LEASE", "2 s");
        return new MemberProcess(name, folder, builder.start());
    }

    /** Where it listens, once it serves. */
    JsonNode awaitReady() throws IOException {
        var file = folder.resolve(name + ".ready.json");
        long end = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!Files.exists(file)) {
            assertThat(process.isAlive() && System.nanoTime() < end)
                    .as(() -> name + " does not become ready:\n" + log())
                    .isTrue();
            LockSupport.parkNanos(20_000_000);
        }
        return ApiClient.JSON.readTree(file.toFile());
    }

    String log() {
        try {
            return Files.readString(folder.resolve(name + ".log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Ends it at once, as kill -9 does. */
    void kill() {
        process.destroyForcibly();
    }

    void stop() {
        signal("-STOP");
    }

    void goOn() {
        signal("-CONT");
    }

    private void signal(String which) {
        try {
            int status = new ProcessBuilder("kill", which, Long.toString(process.pid()))
                    .start()
                    .waitFor();
            assertThat(status).isZero();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Waits until it has ended, and tells its status. */
    int awaitEnd() throws InterruptedException {
        assertThat(process.waitFor(90, TimeUnit.SECONDS)).as(this::log).isTrue();
        return process.exitValue();
    }
}
