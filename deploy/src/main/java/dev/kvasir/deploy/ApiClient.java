package dev.kvasir.deploy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.bench.SseParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** The OpenAI HTTP API as the commands use it. What goes wrong is a {@link CommandException} that says what. */
final class ApiClient implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final int ERROR_BODY_MAX = 64 << 10;

    private final HttpClient http;
    private final URI root;
    private final Optional<String> apiKey;

    /** A client of a server that asks for no key, with {@code root} without {@code /v1}. */
    ApiClient(URI root) {
        this(
                root,
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build(),
                Optional.empty());
    }

    /**
     * The same with a key.
     *
     * @param http closed with this client
     */
    ApiClient(URI root, HttpClient http, Optional<String> apiKey) {
        this.root = root;
        this.http = http;
        this.apiKey = apiKey;
        if (!"http".equals(root.getScheme()) && !"https".equals(root.getScheme())) {
            throw new ConfigurationException("--url is '" + root + "' but must begin with http:// or https://");
        }
    }

    /** How a stream ended. */
    record End(String finishReason, int promptTokens, int cachedTokens, int completionTokens) {}

    /** The entries of {@code /v1/models}. */
    List<JsonNode> models() throws InterruptedException {
        try {
            var request = request("/v1/models").timeout(CONNECT_TIMEOUT).build();
            var response = http.send(request, BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new CommandException("%s answers status %d for /v1/models: %s"
                        .formatted(root, response.statusCode(), message(response.statusCode(), response.body())));
            }
            var models = new ArrayList<JsonNode>();
            JSON.readTree(response.body()).path("data").forEach(models::add);
            return models;
        } catch (JsonProcessingException e) {
            throw new CommandException(root + "/v1/models does not answer JSON", e);
        } catch (IOException e) {
            throw unreachable(e);
        }
    }

    /** The name of the only model, or of the first. */
    String model() throws InterruptedException {
        return models().stream()
                .map(model -> model.path("id").asText())
                .findFirst()
                .orElseThrow(() -> new CommandException(root + " serves no model"));
    }

    /** Sends a request and passes text on as it arrives. */
    End stream(String path, ObjectNode body, Consumer<String> text) throws InterruptedException {
        body.put("stream", true).putObject("stream_options").put("include_usage", true);
        var request = request(path)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.toString()))
                .build();
        var reading = new Reading(text);
        var parser = new SseParser((data, _) -> reading.event(data));
        var errorBody = new ByteArrayOutputStream();
        try {
            var response = http.send(
                    request,
                    head -> BodySubscribers.ofByteArrayConsumer(bytes -> bytes.ifPresent(arrived -> {
                        if (head.statusCode() == 200) {
                            parser.accept(arrived, 0);
                        } else if (errorBody.size() < ERROR_BODY_MAX) {
                            errorBody.write(arrived, 0, arrived.length);
                        }
                    })));
            if (response.statusCode() != 200) {
                throw new CommandException(message(response.statusCode(), errorBody.toString(StandardCharsets.UTF_8)));
            }
        } catch (IOException e) {
            throw unreachable(e);
        }
        return reading.end();
    }

    /** What one stream has said so far. */
    private static final class Reading {
        private final Consumer<String> text;
        private String finishReason = "";
        private JsonNode usage = JSON.createObjectNode();
        private @Nullable String failure;

        Reading(Consumer<String> text) {
            this.text = text;
        }

        void event(String data) {
            if (data.equals("[DONE]")) {
                return;
            }
            try {
                read(JSON.readTree(data));
            } catch (JsonProcessingException _) {
                failure = "the server sent an event that is not JSON";
            }
        }

        private void read(JsonNode event) {
            if (event.hasNonNull("error")) {
                failure = event.path("error").path("message").asText("the server reports an error");
            }
            for (var choice : event.path("choices")) {
                var piece = choice.path("text").asText("")
                        + choice.path("delta").path("content").asText("");
                if (!piece.isEmpty()) {
                    text.accept(piece);
                }
                finishReason = choice.path("finish_reason").asText(finishReason);
            }
            if (event.path("usage").isObject()) {
                usage = event.path("usage");
            }
        }

        End end() {
            if (failure != null) {
                throw new CommandException(failure);
            }
            return new End(
                    finishReason,
                    usage.path("prompt_tokens").asInt(),
                    usage.path("prompt_tokens_details").path("cached_tokens").asInt(),
                    usage.path("completion_tokens").asInt());
        }
    }

    private HttpRequest.Builder request(String path) {
        var request = HttpRequest.newBuilder(at(path));
        apiKey.ifPresent(key -> request.header("Authorization", "Bearer " + key));
        return request;
    }

    private URI at(String path) {
        var text = root.toString();
        return URI.create((text.endsWith("/") ? text.substring(0, text.length() - 1) : text) + path);
    }

    private CommandException unreachable(IOException cause) {
        if (cause instanceof SSLException) {
            return new CommandException(
                    "cannot speak TLS with %s: %s (--cacert names certificates to trust)"
                            .formatted(root, cause.getMessage()),
                    cause);
        }
        return new CommandException("no server answers at " + root, cause);
    }

    private static String message(int status, String body) {
        try {
            var text = JSON.readTree(body).path("error").path("message").asText("");
            return text.isEmpty() ? "the server answers status " + status : text;
        } catch (JsonProcessingException _) {
            return "the server answers status " + status;
        }
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
