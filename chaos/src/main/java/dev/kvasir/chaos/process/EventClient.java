package dev.kvasir.chaos.process;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.grpc.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A client of HTTP that reads answers as they come, and goes on at any router with one that breaks off, after the last event
 * that it has. What nobody knows any more it asks again.
 */
final class EventClient implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    private static final String DONE = "[DONE]";

    private final Balancer balancer;
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final AtomicInteger resumed = new AtomicInteger();

    EventClient(Balancer balancer) {
        this.balancer = balancer;
    }

    /** An answer as far as it has come. */
    private static final class Reading {
        private final Map<Integer, StringBuilder> choices = new TreeMap<>();
        private String id = "";
        private String data = "";
        private String nextPosition = "";
        private String position = "";
        private boolean done;

        void begin() {
            data = "";
            nextPosition = "";
        }

        /** An event counts when it is whole, which an empty line says. */
        void line(String line) throws IOException {
            if (line.startsWith("id: ")) {
                nextPosition = line.substring("id: ".length());
            } else if (line.startsWith("data: ")) {
                data = line.substring("data: ".length());
            } else if (line.isEmpty() && !data.isEmpty()) {
                take();
                position = nextPosition;
                begin();
            }
        }

        private void take() throws IOException {
            if (data.equals(DONE)) {
                done = true;
                return;
            }
            var event = JSON.readTree(data);
            if (event.has("error")) {
                throw new IOException(data);
            }
            id = event.path("id").asText();
            for (var choice : event.path("choices")) {
                choices.computeIfAbsent(choice.path("index").asInt(), _ -> new StringBuilder())
                        .append(choice.path("text").asText())
                        .append(choice.path("finish_reason").asText(""));
            }
        }
    }

    /** Text and end of each choice. */
    String ask(ObjectNode completion) throws InterruptedException {
        var reading = new Reading();
        while (!reading.done) {
            var router = balancer.choose();
            long began = System.nanoTime();
            boolean again = !reading.position.isEmpty();
            try {
                var answer =
                        http.send(again ? rest(router, reading) : anew(router, completion), BodyHandlers.ofLines());
                if (again && answer.statusCode() == 404) {
                    reading = new Reading();
                    continue;
                }
                read(answer, reading);
                resumed.addAndGet(again ? 1 : 0);
            } catch (IOException | UncheckedIOException e) {
                balancer.excuse(router, began, e.toString());
            }
        }
        return reading.choices.toString();
    }

    private static void read(HttpResponse<Stream<String>> answer, Reading reading) throws IOException {
        try (var lines = answer.body()) {
            if (answer.statusCode() == 429) {
                throw Status.RESOURCE_EXHAUSTED.asRuntimeException();
            }
            if (answer.statusCode() != 200) {
                throw new IOException(answer.statusCode() + " " + String.join("", lines.toList()));
            }
            reading.begin();
            for (var each = lines.iterator(); each.hasNext() && !reading.done; ) {
                reading.line(each.next());
            }
        }
        if (!reading.done) {
            throw new IOException("the stream ends in its midst");
        }
    }

    private static HttpRequest anew(Member router, ObjectNode completion) {
        return HttpRequest.newBuilder(router.httpAddress().resolve("/v1/completions"))
                .header("Content-Type", "application/json")
                .timeout(TIMEOUT)
                .POST(HttpRequest.BodyPublishers.ofString(completion.toString()))
                .build();
    }

    private static HttpRequest rest(Member router, Reading reading) {
        return HttpRequest.newBuilder(router.httpAddress().resolve("/v1/streams/" + reading.id))
                .header("Last-Event-ID", reading.position)
                .timeout(TIMEOUT)
                .build();
    }

    /** Answers that went on after they had broken off. */
    int resumed() {
        return resumed.get();
    }

    @Override
    public void close() {
        http.shutdownNow();
    }
}
