package dev.kvasir.deploy;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code kvasir serve}: one member, until SIGTERM or SIGINT. Then it refuses new requests, lets running streams finish for a
 * bounded time, leaves the cluster and ends with status 0.
 */
@Command(
        name = "serve",
        sortOptions = false,
        description =
                "Serves a model over the OpenAI HTTP API and gRPC; with no flags, a cluster of one with the bundled model.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir serve",
            "  kvasir serve --model ~/models/Qwen3-0.6B --max-num-seqs 32",
            "  kvasir serve --roles router --cluster-port 7355",
            "  kvasir serve --roles worker --join 127.0.0.1:7355"
        })
final class ServeCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(ServeCommand.class);
    private static final String RESTARTS = "dev.kvasir.restarts";

    @Spec
    private CommandSpec spec;

    @Parameters(arity = "0..1", paramLabel = "DIR", description = "Model folder, as by --model.")
    private @Nullable String model;

    @Mixin
    private ModelFlags modelFlags;

    @Mixin
    private NodeFlags nodeFlags;

    @Option(
            names = "--ready-file",
            paramLabel = "FILE",
            description = "Write addresses as JSON here once it serves; removed at the end.")
    private @Nullable Path readyFile;

    @Override
    public Integer call() throws InterruptedException {
        long start = System.nanoTime();
        var given = new LinkedHashMap<>(modelFlags.given());
        given.putAll(nodeFlags.given());
        if (model != null) {
            if (given.containsKey(ModelFlags.MODEL)) {
                throw new ParameterException(
                        spec.commandLine(), "The model is named twice: '" + model + "' and by --model");
            }
            given.put(ModelFlags.MODEL, model);
        }
        var settings = Settings.load(modelFlags.configFile(), System.getenv(), given);
        var config = KvasirConfig.load(settings, given);
        LOG.info("Settings that are not defaults: {}", settings.changed());
        LOG.debug("Settings: {}", config);
        MemberFile.makeFolder(config.dataDir());
        var err = spec.commandLine().getErr();
        err.printf("Kvasir %s: %s as %s%n", Version.current(), config.model(), config.servedModelName());
        err.flush();
        var restarts = new Restarts(config.restartsPerHour(), System.getProperty(RESTARTS, ""));
        while (serve(config, start) == End.BROKEN) {
            if (!restarts.mayStart(System.nanoTime())) {
                throw new CommandException(
                        "the worker has stopped, this member may not start anew (kvasir.restarts-per-hour is %d), and stops; the log says why"
                                .formatted(config.restartsPerHour()));
            }
            LOG.warn("The worker had stopped; starting anew");
            try {
                ProcessImage.replace(RESTARTS, restarts.toString());
            } catch (IOException e) {
                LOG.warn("Starting anew in the same process: {}", e.toString());
            }
            start = System.nanoTime();
        }
        return Kvasir.SUCCESS;
    }

    /** How the life of a member ended, where that is no failure of the process. */
    private enum End {
        STOPPED,
        BROKEN
    }

    private End serve(KvasirConfig config, long startNanos) throws InterruptedException {
        var node = KvasirNode.start(config, new StartReport(spec.commandLine().getErr(), true));
        var files = new ArrayList<MemberFile>();
        files.add(
                MemberFile.write(config.dataDir().resolve("member.json"), config.servedModelName(), node.addresses()));
        if (readyFile != null) {
            files.add(MemberFile.write(readyFile, config.servedModelName(), node.addresses()));
        }
        var signalled = new AtomicBoolean();
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(() -> afterSignal(node, files, signalled)));
        announce(spec.commandLine().getOut(), node, config, System.nanoTime() - startNanos);
        return awaitEnd(node, files, signalled);
    }

    /** Commands that work as they stand. */
    private static String examples(Addresses at, String model, boolean chat, boolean keys) {
        var key = keys ? "-H \"Authorization: Bearer $OPENAI_API_KEY\" " : "";
        var json = key + "-H 'Content-Type: application/json'";
        var plain = key + (at.tls() ? "" : "-plaintext ");
        return chat
                ? """
                          curl -N %s/v1/chat/completions %s \\
                            -d '{"model": "%s", "stream": true, "messages": [{"role": "user", "content": "What is 17 + 25?"}]}'

                          grpcurl %s-d '{"messages": [{"role": "user", "content": "What is 17 + 25?"}]}' \\
                            %s kvasir.v1.Inference/Chat
                        """.formatted(at.http(), json, model, plain, at.grpc())
                : """
                          curl -N %s/v1/completions %s \\
                            -d '{"model": "%s", "stream": true, "prompt": "Once upon a time", "max_tokens": 32}'

                          grpcurl %s-d '{"text": "Once upon a time", "sampling": {"max_tokens": 32}}' \\
                            %s kvasir.v1.Inference/Generate
                        """.formatted(at.http(), json, model, plain, at.grpc());
    }

    private static End awaitEnd(KvasirNode node, List<MemberFile> files, AtomicBoolean signalled)
            throws InterruptedException {
        awaitTermination(node);
        if (signalled.get()) {
            return End.STOPPED;
        }
        files.forEach(MemberFile::remove);
        if (node.leftOnRequest()) {
            LOG.info("Drained, and left the cluster");
            return End.STOPPED;
        }
        if (node.workerBroke()) {
            return End.BROKEN;
        }
        throw new CommandException("this member has left the cluster, and stops; the log says why");
    }

    /**
     * What a signal does, beside the shutdown that it begins in the node: a shutdown hook that waits for the node and ends
     * the process itself, since being stopped is no failure.
     */
    private static void afterSignal(KvasirNode node, List<MemberFile> files, AtomicBoolean signalled) {
        if (node.terminated().toCompletableFuture().isDone()) {
            return;
        }
        signalled.set(true);
        LOG.info("Stopping: new requests are refused, running ones may finish");
        files.forEach(MemberFile::remove);
        try {
            awaitTermination(node);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        LOG.info("Stopped");
        Runtime.getRuntime().halt(Kvasir.SUCCESS);
    }

    private static void awaitTermination(KvasirNode node) throws InterruptedException {
        try {
            node.terminated().toCompletableFuture().get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("the actor system failed", e);
        }
    }

    private static void announce(PrintWriter out, KvasirNode node, KvasirConfig config, long startNanos) {
        var at = node.addresses();
        var worker = node.describeWorker();
        if (!worker.isEmpty()) {
            out.println(worker);
        }
        out.printf(
                "Cluster %s, roles %s%n",
                at.cluster(), config.roles().stream().map(Role::label).sorted().toList());
        if (at.hasDoors()) {
            out.printf("HTTP    %s    gRPC %s%n%n", at.http(), at.grpc());
            out.println(examples(
                    at,
                    config.servedModelName(),
                    node.hasChat(),
                    config.router().access().needsKey()));
        } else {
            out.printf("Status  %1$s/health and %1$s/metrics%n", at.http());
        }
        out.println(String.format(Locale.ROOT, "Ready after %.1f s. Ctrl-C stops.", startNanos / 1e9));
        out.flush();
    }
}
