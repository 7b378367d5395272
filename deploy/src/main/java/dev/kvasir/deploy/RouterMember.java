package dev.kvasir.deploy;

import dev.kvasir.kvstore.actor.PrefixCacheShards;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.tokenizer.ChatTemplate;
import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.ModelText;
import dev.kvasir.router.RouterConfig;
import dev.kvasir.router.ServedModel;
import dev.kvasir.router.SharedIndex;
import dev.kvasir.router.grpc.GrpcServer;
import dev.kvasir.router.http.HttpServer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;

/** The router of a member: the model's text, the frontend and the two doors. */
final class RouterMember implements AutoCloseable {
    private static final Duration POLL = Duration.ofMillis(20);

    private final Tokenizer tokenizer;
    private final Frontend frontend;
    private final ServedModel model;
    private final GrpcServer grpc;
    private final HttpServer http;

    private RouterMember(Tokenizer tokenizer, Frontend frontend, ServedModel model, GrpcServer grpc, HttpServer http) {
        this.tokenizer = tokenizer;
        this.frontend = frontend;
        this.model = model;
        this.grpc = grpc;
        this.http = http;
    }

    /** Opens the doors; they answer that nothing is served until a worker is there. */
    static RouterMember start(
            KvasirConfig config,
            ModelFolder folder,
            ActorSystem<?> system,
            PrometheusRegistry registry,
            PrefixCacheShards shards) {
        var tokenizer = Tokenizer.open(
                config.model(),
                Tokenizer.DEFAULT_TEXT_CHARS_MAX,
                config.router().textCacheBytes());
        @Nullable GrpcServer grpc = null;
        try {
            folder.requireVocabulary(tokenizer.vocabularySize() - 1);
            var model = servedModel(config, folder, tokenizer);
            var frontend = Frontend.start(
                    system,
                    config.router(),
                    config.migration(),
                    List.of(model),
                    registry,
                    Optional.of(sharedIndex(config, shards)));
            grpc = GrpcServer.start(frontend);
            var http = http(config.router(), frontend, registry);
            return new RouterMember(tokenizer, frontend, model, grpc, http);
        } catch (RuntimeException e) {
            if (grpc != null) {
                grpc.close();
            }
            tokenizer.close();
            throw e instanceof UncheckedIOException ? new CommandException(String.valueOf(e.getMessage()), e) : e;
        }
    }

    private static SharedIndex sharedIndex(KvasirConfig config, PrefixCacheShards shards) {
        var kvstore = config.kvstore();
        return new SharedIndex(shards, kvstore.indexShards(), kvstore.indexBlocksMax());
    }

    private static HttpServer http(RouterConfig config, Frontend frontend, PrometheusRegistry registry) {
        HttpPort.requireFree(config.host(), config.httpPort());
        var server = HttpServer.start(frontend, registry, Version.current(), Clock.systemUTC());
        if (server.port() <= 0) {
            server.close();
            throw new CommandException("cannot listen for HTTP on %s:%d".formatted(config.host(), config.httpPort()));
        }
        return server;
    }

    private static ServedModel servedModel(KvasirConfig config, ModelFolder folder, Tokenizer tokenizer) {
        var template = ChatTemplate.open(config.model());
        Optional<ModelText.ChatRenderer> chat = template.exists() ? Optional.of(template::render) : Optional.empty();
        int asked = config.worker().maxModelLength();
        return ServedModel.of(
                config.servedModelName(),
                new ModelText(tokenizer, chat),
                folder.generation(),
                asked == 0 ? folder.config().maxPositions() : asked,
                folder.config().vocabSize());
    }

    /** Waits until some worker of the cluster serves the model; for as long as it takes where none is expected here. */
    void awaitWorker(Duration timeout) throws InterruptedException {
        var serving = new CountDownLatch(1);
        frontend.status().onChange(status -> {
            if (status.serving(model)) {
                serving.countDown();
            }
        });
        if (!serving.await(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new CommandException("no worker serves %s after %d s: %s"
                    .formatted(
                            model.name(), timeout.toSeconds(), frontend.status().workers()));
        }
    }

    ServedModel model() {
        return model;
    }

    /** The model takes conversations. */
    boolean hasChat() {
        return model.text().chat().isPresent();
    }

    Addresses addresses(String cluster) {
        var access = frontend.config().access();
        return new Addresses(
                frontend.config().host(),
                http.port(),
                grpc.port(),
                cluster,
                access.tls().isPresent());
    }

    /**
     * Says that it does not serve, a little later refuses new requests, and waits for those at hand as long as the
     * configuration gives them.
     */
    void drain() throws InterruptedException {
        frontend.announceDrain();
        grpc.drain();
        if (frontend.status().serving(model)) { // Else new requests are refused already.
            TimeUnit.MILLISECONDS.sleep(frontend.config().drainSettle().toMillis());
        }
        frontend.drain();
        long end = System.nanoTime() + frontend.config().drainTimeout().toNanos();
        while (frontend.open() > 0 && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(POLL.toMillis());
        }
        http.drain(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
    }

    /** See {@link Frontend#workerBroke}. */
    void workerBroke() {
        frontend.workerBroke();
    }

    @Override
    public void close() {
        frontend.drain();
        http.close();
        grpc.close();
        tokenizer.close();
    }
}
