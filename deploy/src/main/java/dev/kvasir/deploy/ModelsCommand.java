package dev.kvasir.deploy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.ModelFolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kvasir models}: what can be served here, and what is being served. */
@Command(
        name = "models",
        sortOptions = false,
        description = "Lists bundled models, and those that a running server serves.")
final class ModelsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelFlags flags;

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = "http://127.0.0.1:8000",
            description = "Server to ask (default: ${DEFAULT-VALUE}).")
    private URI url;

    @Mixin
    private ClientFlags server;

    @Override
    public Integer call() throws InterruptedException {
        var config = KvasirConfig.load(flags.configFile(), System.getenv(), flags.given());
        var out = spec.commandLine().getOut();
        out.println("On this machine:");
        out.printf(
                "  %-24s %-18s %10s %10s %9s  %s%n",
                "NAME", "ARCHITECTURE", "WEIGHTS", "VOCABULARY", "CONTEXT", "FOLDER");
        for (var folder : folders(config)) {
            printFolder(out, folder);
        }
        out.println();
        try (var client = server.open(url)) {
            var models = client.models();
            out.printf("Served at %s:%n", url);
            for (var model : models) {
                out.printf("  %-24s %s%n", model.path("id").asText(), context(model));
            }
        } catch (CommandException e) {
            out.printf("Served: %s%n", e.getMessage());
        }
        return Kvasir.SUCCESS;
    }

    private static List<Path> folders(KvasirConfig config) {
        var bundled = config.home().resolve("model");
        try (var inside = Files.isDirectory(bundled) ? Files.list(bundled) : Stream.<Path>empty()) {
            return Stream.concat(inside.sorted(), Stream.of(config.model()))
                    .filter(folder -> Files.isRegularFile(folder.resolve("config.json")))
                    .distinct()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void printFolder(PrintWriter out, Path path) {
        try {
            var folder = ModelFolder.open(path);
            out.printf(
                    "  %-24s %-18s %10s %10d %9d  %s%n",
                    folder.name(),
                    folder.config().architecture(),
                    bytes(weightBytes(path)),
                    folder.config().vocabSize(),
                    folder.config().maxPositions(),
                    path);
        } catch (ModelFileException e) {
            out.printf("  %-24s cannot be served: %s%n", path.getFileName(), e.getMessage());
        }
    }

    private static long weightBytes(Path folder) {
        try (var files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".safetensors"))
                    .mapToLong(file -> file.toFile().length())
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String context(JsonNode model) {
        return model.hasNonNull("max_model_len")
                ? "context " + model.path("max_model_len").asLong() + " tokens"
                : "";
    }

    /** {@code 11.2 MB}. */
    static String bytes(long count) {
        if (count < 1_000_000) {
            return String.format(Locale.ROOT, "%.1f kB", count / 1e3);
        }
        return count < 1_000_000_000
                ? String.format(Locale.ROOT, "%.1f MB", count / 1e6)
                : String.format(Locale.ROOT, "%.2f GB", count / 1e9);
    }
}
