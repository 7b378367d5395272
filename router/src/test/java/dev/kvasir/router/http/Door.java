package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;

/** An HTTP door over loopback in front of a router and a stand-in worker. */
final class Door implements AutoCloseable {
    static final long NOW_SECONDS = 1_800_000_000;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final TestCluster cluster;
    private final HttpServer server;
    private final HttpClient client = HttpClient.newHttpClient();

    private Door(TestCluster cluster, Duration readTimeout) {
        this.cluster = cluster;
        this.server = HttpServer.start(
                cluster.frontend(),
                cluster.registry(),
                "1.2.3",
                InstantSource.fixed(Instant.ofEpochSecond(NOW_SECONDS)),
                readTimeout);
    }

    static Door open(TestCluster cluster) {
        return open(cluster, Duration.ofSeconds(60));
    }

    static Door open(TestCluster cluster, Duration readTimeout) {
        return new Door(cluster, readTimeout);
    }

    static Door saying(String text) {
        var cluster = TestCluster.start("");
        cluster.worker(StandInWorker.saying(text));
        return open(cluster);
    }

    TestCluster cluster() {
        return cluster;
    }

    HttpServer server() {
        return server;
    }

    HttpResponse<String> get(String path) {
        return send(HttpRequest.newBuilder(uri(path)).GET());
    }

    HttpResponse<String> post(String path, String body, String... headers) {
        var request = HttpRequest.newBuilder(uri(path)).POST(HttpRequest.BodyPublishers.ofString(body));
        if (Arrays.stream(headers).noneMatch("Content-Type"::equals)) {
            request.header("Content-Type", "application/json");
        }
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request);
    }

    HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return client.send(request.timeout(Duration.ofSeconds(30)).build(), BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    JsonNode answer(String path, String body) {
        var response = post(path, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response.body());
    }

    /** The frames of a stream that ends well. */
    List<JsonNode> stream(String path, String body) {
        var response = post(path, body);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("text/event-stream; charset=utf-8");
        var frames = response.body().split("\n\n", -1);
        assertThat(frames).endsWith("data: [DONE]", "");
        return Arrays.stream(frames, 0, frames.length - 2)
                .peek(frame -> assertThat(frame).matches("data: \\{.*}(\nid: [0-9f,]+)?"))
                .map(frame -> json(frame.substring("data: ".length()).split("\n", -1)[0]))
                .toList();
    }

    Socket socket() throws IOException {
        var socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
        socket.setSoTimeout(30_000);
        return socket;
    }

    /** Sends bytes as they are and reads until the server closes. */
    String raw(String bytes) {
        try (var socket = socket()) {
            socket.getOutputStream().write(bytes.getBytes(StandardCharsets.ISO_8859_1));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String postHead(String path, int contentLength) {
        return "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                .formatted(path, contentLength);
    }

    URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.port() + path);
    }

    static JsonNode json(String text) {
        try {
            return MAPPER.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(text, e);
        }
    }

    @Override
    public void close() {
        client.close();
        server.close();
        cluster.close();
    }
}
