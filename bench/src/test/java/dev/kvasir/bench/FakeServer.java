package dev.kvasir.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;

/** An OpenAI server that answers every request as its script says, and keeps the requests. */
final class FakeServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Answers one request. */
    interface Script {
        void answer(JsonNode request, Answer answer) throws IOException;
    }

    private final HttpServer http;
    final Queue<JsonNode> requests = new ConcurrentLinkedQueue<>();

    FakeServer(Script script) throws IOException {
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        http.createContext("/v1/models", exchange -> {
            try (exchange) {
                new Answer(exchange).json(200, "{\"data\":[{\"id\":\"fake\"}]}");
            }
        });
        http.createContext("/v1/completions", exchange -> {
            var request = JSON.readTree(exchange.getRequestBody());
            requests.add(request);
            try (exchange) {
                script.answer(request, new Answer(exchange));
            }
        });
        http.start();
    }

    URI url() {
        return URI.create("http://127.0.0.1:" + http.getAddress().getPort());
    }

    @Override
    public void close() {
        http.stop(0);
    }

    /** Ways to answer. */
    record Answer(HttpExchange exchange) {
        void json(int status, String body) throws IOException {
            var bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
        }

        void begin() throws IOException {
            exchange.getResponseHeaders().add("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
        }

        void event(String data) throws IOException {
            exchange.getResponseBody().write(("data: " + data + "\n\n").getBytes(StandardCharsets.UTF_8));
            exchange.getResponseBody().flush();
        }

        /** A whole stream of so many tokens. */
        void stream(int promptTokens, int cachedTokens, int tokens) throws IOException {
            begin();
            for (int i = 0; i < tokens; i++) {
                event("{\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":null}]}");
            }
            event("{\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}");
            event("{\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,"
                            .formatted(promptTokens, tokens)
                    + "\"prompt_tokens_details\":{\"cached_tokens\":%d}}}".formatted(cachedTokens));
            event("[DONE]");
        }
    }
}
