package dev.kvasir.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Sends requests to an OpenAI-compatible server and times the streams that come back. Any thread may use it. */
final class OpenAiClient implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int ERROR_BODY_MAX = 4096;

    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
    private final Server server;
    private final HttpClient http;
    private final LongSupplier clock;

    /** @param clock nanoseconds since the start of the run */
    OpenAiClient(Server server, LongSupplier clock) {
        this.server = server;
        this.http = server.client().executor(executor).build();
        this.clock = clock;
    }

    /** The first model that {@code /v1/models} lists. */
    static String onlyModel(Server server) {
        var url = server.url();
        var request = server.request("/v1/models").GET().timeout(Server.CONNECT_TIMEOUT);
        try (var http = server.client().build()) {
            var response = http.send(request.build(), BodyHandlers.ofString());
            var models = JSON.readTree(response.body()).path("data");
            if (response.statusCode() != 200 || models.isEmpty()) {
                throw new BenchException("%s/v1/models answered status %d and lists no model; name one with --model"
                        .formatted(url, response.statusCode()));
            }
            return models.get(0).path("id").asText();
        } catch (JsonProcessingException e) {
            throw new BenchException(url + "/v1/models does not answer JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new BenchException(
                    "no server answers at " + url + "; start one with './kvasir serve' or give --url", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted", e);
        }
    }

    /** Sends one request, waits for its stream's end and tells what was seen. Never throws for what a server does. */
    RequestResult run(PlannedRequest planned, long intendedNanos, Target target) throws InterruptedException {
        var builder = server.request(target.chat() ? "/v1/chat/completions" : "/v1/completions")
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body(planned, target)));
        if (target.deadline() != null) {
            builder.header(
                    "x-kvasir-timeout-ms", Long.toString(target.deadline().toMillis()));
        }
        var request = builder.build();
        var recorder = new StreamRecorder();
        long sent = clock.getAsLong();
        var failure = exchange(request, recorder, target.timeout());
        return new RequestResult(
                planned.index(),
                planned.group(),
                planned.repeated(),
                planned.inputLength(),
                planned.outputLength(),
                intendedNanos,
                sent,
                recorder.times(),
                clock.getAsLong(),
                recorder.promptTokens(),
                recorder.cachedTokens(),
                recorder.completionTokens(),
                failure == null ? recorder.failure() : failure);
    }

    private @Nullable Failure exchange(HttpRequest request, StreamRecorder recorder, Duration timeout)
            throws InterruptedException {
        var parser = new SseParser(recorder);
        var errorBody = new ByteArrayOutputStream();
        var exchange = http.sendAsync(request, response -> {
            boolean stream = response.statusCode() == 200;
            return HttpResponse.BodySubscribers.ofByteArrayConsumer(bytes -> bytes.ifPresent(arrived -> {
                if (stream) {
                    parser.accept(arrived, clock.getAsLong());
                } else {
                    errorBody.write(arrived, 0, Math.min(arrived.length, ERROR_BODY_MAX - errorBody.size()));
                }
            }));
        });
        try {
            var response = exchange.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            if (response.statusCode() != 200) {
                return Failure.status(response.statusCode(), errorBody.toString(StandardCharsets.UTF_8));
            }
            recorder.end();
            return null;
        } catch (TimeoutException _) {
            exchange.cancel(true);
            return Failure.of(new TimeoutException("no end after " + timeout.toSeconds() + " s"));
        } catch (ExecutionException e) {
            return Failure.of(e.getCause() == null ? e : e.getCause());
        }
    }

    private static byte[] body(PlannedRequest planned, Target target) {
        var body = JSON.createObjectNode();
        body.put("model", target.model());
        switch (planned.prompt()) {
            case Prompt.Tokens(var ids) -> body.set("prompt", JSON.valueToTree(ids));
            case Prompt.Text(var text) -> {
                if (target.chat()) {
                    body.putArray("messages").addObject().put("role", "user").put("content", text);
                } else {
                    body.put("prompt", text);
                }
            }
        }
        body.put("max_tokens", planned.outputLength());
        body.put("temperature", target.temperature());
        body.put("stream", true);
        body.putObject("stream_options").put("include_usage", true);
        if (target.ignoreEos()) {
            body.put("ignore_eos", true);
        }
        if (target.cacheSalt() != null) {
            body.put("cache_salt", target.cacheSalt());
        }
        return bytes(body);
    }

    private static byte[] bytes(JsonNode body) {
        return body.toString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        http.shutdownNow();
        executor.shutdownNow();
    }
}
