package dev.kvasir.bench;

import dev.kvasir.protocol.tls.Certificates;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code kvasir bench}: load on a running OpenAI-compatible server, and what it did to it. */
@Command(
        name = "bench",
        description = "Measures a running OpenAI-compatible server under load.",
        sortOptions = false,
        subcommands = CompareCommand.class,
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir bench --concurrency 8 --num-prompts 200",
            "  kvasir bench --request-rate 5 --input-len 256:1024 --output-len 64 --goodput ttft:500,tpot:50",
            "  kvasir bench --prefix-groups 10 --prefix-len 512 --output result.json",
            "  kvasir bench --document-questions 4 --input-len 1500 --num-prompts 40 --concurrency 1",
            "  kvasir bench --overload 2 --goodput e2e:4000 --concurrency 32 --num-prompts 300",
            "  kvasir bench compare before.json after.json"
        })
public final class BenchCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = "http://127.0.0.1:8000",
            description = "Server, without /v1 (default: ${DEFAULT-VALUE}).")
    private URI url;

    @Option(
            names = "--model",
            paramLabel = "NAME",
            description = "Served model name (default: the first that /v1/models lists).")
    private @Nullable String model;

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description = "Bearer token (default: environment variable OPENAI_API_KEY).",
            defaultValue = "${env:OPENAI_API_KEY}")
    private @Nullable String apiKey;

    @Option(
            names = "--cacert",
            paramLabel = "FILE",
            description =
                    "Certificates in PEM to believe in, for a server that speaks TLS (default: those of the JVM).")
    private @Nullable Path authority;

    @Option(names = "--chat", description = "Ask /v1/chat/completions instead of /v1/completions; implies --text.")
    private boolean chat;

    @Option(
            names = "--concurrency",
            paramLabel = "N",
            description =
                    "Closed loop: N streams, each sending its next request when the last was answered (default: 8).")
    private @Nullable Integer concurrency;

    @Option(
            names = "--request-rate",
            paramLabel = "R",
            description =
                    "Open loop: R requests per second on average, whatever the answers; 'inf' sends all at once. Latencies count from the intended time.")
    private @Nullable String requestRate;

    @Option(
            names = "--burstiness",
            paramLabel = "B",
            defaultValue = "1",
            description =
                    "Open loop: 1 is a Poisson process, less is burstier, more is steadier (default: ${DEFAULT-VALUE}).")
    private double burstiness;

    @Option(
            names = "--max-concurrency",
            paramLabel = "N",
            defaultValue = "4096",
            description =
                    "Open loop: most requests in flight; the others wait at the client and their wait counts (default: ${DEFAULT-VALUE}).")
    private int concurrencyMax;

    @Option(
            names = "--num-prompts",
            paramLabel = "N",
            defaultValue = "100",
            description = "Requests measured (default: ${DEFAULT-VALUE}).")
    private int promptCount;

    @Option(
            converter = LengthsConverter.class,
            names = "--input-len",
            paramLabel = "N|MIN:MAX",
            defaultValue = "256",
            description = "Prompt tokens, without a shared prefix (default: ${DEFAULT-VALUE}).")
    private Lengths input;

    @Option(
            converter = LengthsConverter.class,
            names = "--output-len",
            paramLabel = "N|MIN:MAX",
            defaultValue = "64",
            description = "Output tokens (default: ${DEFAULT-VALUE}).")
    private Lengths output;

    @Option(
            names = "--prefix-groups",
            paramLabel = "G",
            defaultValue = "0",
            description = "Each prompt begins with one of G shared prefixes (default: none).")
    private int prefixGroups;

    @Option(names = "--prefix-len", paramLabel = "P", defaultValue = "0", description = "Tokens of each shared prefix.")
    private int prefixLength;

    @Option(
            names = "--document-questions",
            paramLabel = "Q",
            defaultValue = "0",
            description =
                    "Ask Q questions in a row about each document of --input-len tokens; reports TTFT of first and repeated ones apart.")
    private int documentQuestions;

    @Option(names = "--text", description = "Send made-up words instead of random token ids; lengths then count words.")
    private boolean text;

    @Option(
            converter = LengthsConverter.class,
            names = "--token-range",
            paramLabel = "MIN:MAX",
            defaultValue = "300:1000",
            description = "Token ids to draw from (default: ${DEFAULT-VALUE}).")
    private Lengths tokenRange;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "0",
            description = "Same seed, same prompts and send times (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            defaultValue = "0",
            description = "Sampling temperature (default: ${DEFAULT-VALUE}).")
    private double temperature;

    @Option(
            names = "--ignore-eos",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Have every output run to its full length (default: on).")
    private boolean ignoreEos;

    @Option(
            names = "--cache-salt",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Send a random cache_salt, so that a run does not hit what an earlier one left in the prefix cache (default: on).")
    private boolean cacheSalt;

    @Option(
            names = "--warm-up",
            paramLabel = "N",
            defaultValue = "2",
            description = "Requests sent first and not measured (default: ${DEFAULT-VALUE}).")
    private int warmUpCount;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "600",
            description = "Per request (default: ${DEFAULT-VALUE}).")
    private int timeoutSeconds;

    @Option(
            converter = ServiceLevelConverter.class,
            names = "--goodput",
            paramLabel = "NAME:MS,...",
            description = "Count requests that keep these bounds, for example ttft:500,tpot:50,e2e:5000.")
    private @Nullable ServiceLevel goodput;

    @Option(
            names = "--overload",
            paramLabel = "F",
            description =
                    "Find the peak, then send F times as much in an open loop. Goodput counts within --goodput e2e, which the server is told as deadline.")
    private @Nullable Double overload;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FILE",
            description =
                    "Write configuration, figures and every request as JSON, and a plot beside it (FILE with .svg).")
    private @Nullable Path outputFile;

    @Override
    public Integer call() throws InterruptedException {
        var out = spec.commandLine().getOut();
        var workload = usage(() -> new Workload(
                promptCount,
                input,
                output,
                prefixGroups,
                prefixLength,
                documentQuestions,
                tokenRange,
                text || chat,
                seed));
        var schedule = usage(this::schedule);
        var serviceLevel = goodput == null ? ServiceLevel.NONE : goodput;
        var target = target();
        if (overload != null) {
            var streams = new Schedule.Closed(concurrency == null ? 32 : concurrency);
            LoadGenerator.warmUp(target, workload, warmUpCount);
            new OverloadRun(target, workload, streams, serviceLevel, overload).run(out);
            return 0;
        }
        out.printf("Benchmark of %s at %s: %s, seed %d%n", target.model(), url, schedule, seed);
        out.flush();
        LoadGenerator.warmUp(target, workload, warmUpCount);
        var started = Instant.now();
        BenchRun run;
        try (var progress = Progress.count("Requests", workload.count())) {
            run = new BenchRun(
                    started,
                    target,
                    workload,
                    schedule,
                    warmUpCount,
                    serviceLevel,
                    LoadGenerator.run(target, workload, schedule, progress));
        }
        SummaryTable.lines(run.summary(), serviceLevel).forEach(out::println);
        if (outputFile != null) {
            write(run, outputFile);
        }
        return run.summary().succeeded() > 0 ? 0 : 1;
    }

    private void write(BenchRun run, Path json) {
        var plot = json.resolveSibling(json.getFileName().toString().replaceFirst("\\.json$", "") + ".svg");
        ResultFile.write(json, run);
        BenchPlot.write(plot, run);
        spec.commandLine().getOut().printf("%nWrote %s and %s%n", json, plot);
    }

    private Target target() {
        require(
                promptCount >= 1 && timeoutSeconds >= 1 && warmUpCount >= 0 && warmUpCount <= 1000,
                "--num-prompts and --timeout must be at least 1, --warm-up in 0..1000");
        require(
                overload == null || (overload > 1 && overload <= 100 && requestRate == null && outputFile == null),
                "--overload must be in (1, 100], without --request-rate and --output");
        double deadline = goodput == null ? Double.POSITIVE_INFINITY : goodput.endToEndMillis();
        require(overload == null || Double.isFinite(deadline), "--overload needs --goodput e2e:MS");
        require(
                "http".equals(url.getScheme()) || "https".equals(url.getScheme()),
                "--url is '" + url + "' but must begin with http:// or https://");
        var server = server();
        return new Target(
                server,
                model == null ? OpenAiClient.onlyModel(server) : model,
                chat,
                ignoreEos,
                temperature,
                cacheSalt ? "bench-" + Long.toHexString(new SplittableRandom().nextLong()) : null,
                Duration.ofSeconds(timeoutSeconds),
                overload == null ? null : Duration.ofMillis((long) deadline));
    }

    private Server server() {
        try {
            return new Server(
                    url,
                    apiKey == null || apiKey.isEmpty() ? null : apiKey,
                    authority == null ? null : Certificates.trusting(authority));
        } catch (IllegalArgumentException e) {
            throw new BenchException("--cacert: " + e.getMessage(), e);
        }
    }

    private Schedule schedule() {
        if (requestRate == null) {
            return new Schedule.Closed(concurrency == null ? 8 : concurrency);
        }
        require(concurrency == null, "--concurrency (closed loop) and --request-rate (open loop) exclude each other");
        try {
            double rate = requestRate.equals("inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(requestRate);
            return new Schedule.Open(rate, burstiness, concurrencyMax);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "--request-rate is '" + requestRate + "' but must be a number or 'inf'", e);
        }
    }

    private void require(boolean holds, String message) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }

    private <T> T usage(Supplier<T> value) {
        try {
            return value.get();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    static final class LengthsConverter implements ITypeConverter<Lengths> {
        @Override
        public Lengths convert(String value) {
            try {
                return Lengths.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }

    static final class ServiceLevelConverter implements ITypeConverter<ServiceLevel> {
        @Override
        public ServiceLevel convert(String value) {
            try {
                return ServiceLevel.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }
}
