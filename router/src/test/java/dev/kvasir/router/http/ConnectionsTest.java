package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that hang up, dawdle or never read, and a server that stops. */
class ConnectionsTest {
    private static final Duration NEVER = Duration.ofHours(1);
    private static final int NOTHING_YET = -2;

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void aClientThatHangsUpEndsItsRequestThoughNothingIsWritten(boolean stream) throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster)) {
            var worker = cluster.worker(StandInWorker.babbling(), NEVER).stand();
            try (var socket = door.socket()) {
                var body = "{\"prompt\":\"a\",\"max_tokens\":200,\"stream\":" + stream + "}";
                socket.getOutputStream()
                        .write((Door.postHead("/v1/completions", body.length()) + body)
                                .getBytes(StandardCharsets.US_ASCII));
                cluster.awaitWorking(worker, 1);
            }
            cluster.awaitQuiet();
        }
    }

    @Test
    void aClientThatHangsUpAmidAStreamEndsItsRequest() throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster)) {
            cluster.worker(StandInWorker.babbling(), Duration.ofMillis(20));
            try (var socket = door.socket()) {
                var body = "{\"prompt\":[\"a\",\"b\"],\"n\":2,\"max_tokens\":200,\"stream\":true}";
                socket.getOutputStream()
                        .write((Door.postHead("/v1/completions", body.length()) + body)
                                .getBytes(StandardCharsets.US_ASCII));
                assertThat(socket.getInputStream().readNBytes(1000)).hasSize(1000);
            }
            cluster.awaitQuiet();
        }
    }

    @Test
    void aClientThatNeverReadsIsCut() throws IOException {
        try (var cluster = TestCluster.start("slow-reader-timeout = 300 ms");
                var door = Door.open(cluster)) {
            cluster.worker(StandInWorker.babbling(), Duration.ofMillis(1));
            try (var socket = door.socket()) {
                var prompts = "\"%s\",".formatted("and so on ".repeat(20)).repeat(63) + "\"a\"";
                var body = "{\"prompt\":[%s],\"n\":1,\"logprobs\":20,\"echo\":true,\"max_tokens\":100,\"stream\":true}"
                        .formatted(prompts);
                socket.getOutputStream()
                        .write((Door.postHead("/v1/completions", body.length()) + body)
                                .getBytes(StandardCharsets.US_ASCII));
                cluster.awaitIdleWorkers();
                cluster.awaitQuiet();
            }
        }
    }

    /** As nginx forwards requests unless told otherwise, and HAProxy asks for health. */
    @ParameterizedTest
    @ValueSource(strings = {"Host: x", "Accept: text/html", "Connection: keep-alive"})
    void requestsOfHttp10AreAnsweredAndTheConnectionCloses(String header) {
        try (var door = Door.saying("fine")) {
            assertThat(door.raw("GET /health HTTP/1.0\r\n" + header + "\r\n\r\n"))
                    .startsWith("HTTP/1.1 200 ")
                    .contains("Connection: close");
            for (var stream : List.of("false", "true")) {
                var body = "{\"prompt\":\"say HTTP/1.0\",\"stream\":" + stream + "}";
                assertThat(door.raw("POST /v1/completions HTTP/1.0\r\nContent-Type: application/json\r\n" + header
                                + "\r\nContent-Length: " + body.length() + "\r\n\r\n" + body))
                        .startsWith("HTTP/1.1 200 ")
                        .contains("Connection: close")
                        .contains(stream.equals("true") ? "[DONE]" : "fine");
            }
        }
    }

    @Test
    void aBodyThatDoesNotArriveTimesOut() throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster, Duration.ofMillis(200))) {
            assertThat(door.raw(Door.postHead("/v1/completions", 100) + "{")).startsWith("HTTP/1.1 408 ");
            assertThat(door.raw("POST /v1/completions HTTP/1.1\r\nHos"))
                    .startsWith("HTTP/1.1 408 ")
                    .contains("\"request_timeout\"");
        }
    }

    @ParameterizedTest
    @CsvSource({"true", "false"})
    void aClientThatSendsByteByByteHasNoMoreTimeThanASilentOne(boolean body) throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster, Duration.ofMillis(400));
                var socket = door.socket()) {
            var head = body ? Door.postHead("/v1/completions", 1000) : "GET /version HTTP/1.1\r\nX-Long: ";
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.setSoTimeout(20);
            int answer = NOTHING_YET;
            long begun = System.nanoTime();
            while (answer == NOTHING_YET) {
                assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(15));
                answer = afterOneMoreByte(socket);
            }
            // The answer may be lost where the client was still sending.
            if (answer == 'H') {
                assertThat(new String(socket.getInputStream().readNBytes(11), StandardCharsets.US_ASCII))
                        .isEqualTo("TTP/1.1 408");
            } else {
                assertThat(answer).isEqualTo(-1);
            }
        }
    }

    @Test
    void anIdleConnectionIsClosedWithoutAWord() throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster, Duration.ofMillis(200));
                var fresh = door.socket();
                var used = door.socket()) {
            used.getOutputStream()
                    .write("GET /version HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(readResponse(used.getInputStream())).startsWith("HTTP/1.1 200 ");
            assertThat(used.getInputStream().readAllBytes()).isEmpty();
            assertThat(fresh.getInputStream().readAllBytes()).isEmpty();
        }
    }

    private static int afterOneMoreByte(Socket socket) throws IOException {
        try {
            socket.getOutputStream().write('x');
            return socket.getInputStream().read();
        } catch (SocketTimeoutException _) {
            return NOTHING_YET;
        } catch (SocketException _) {
            return -1; // Cut.
        }
    }

    @Test
    void aSlowAnswerOutlivesTheReadTimeoutAndTheConnectionStaysOfUse() throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster, Duration.ofMillis(300))) {
            cluster.worker(StandInWorker.saying("slow but sure"), Duration.ofMillis(250));
            try (var socket = door.socket()) {
                for (int i = 0; i < 2; i++) {
                    var body = "{\"prompt\":\"a\",\"max_tokens\":3}";
                    socket.getOutputStream()
                            .write((Door.postHead("/v1/completions", body.length()) + body)
                                    .getBytes(StandardCharsets.US_ASCII));
                    assertThat(readResponse(socket.getInputStream())).startsWith("HTTP/1.1 200 ");
                }
            }
        }
    }

    @Test
    void pipelinedRequestsAreAnsweredInOrder() {
        try (var door = Door.saying("fine")) {
            var body = "{\"prompt\":\"a\",\"max_tokens\":3}";
            var request = Door.postHead("/v1/completions", body.length()) + body;
            var answers = door.raw(request + request + "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            assertThat(answers.split("HTTP/1.1 200 ", -1)).hasSize(4);
            assertThat(answers).endsWith("{\"version\":\"1.2.3\"}");
        }
    }

    @Test
    void drainingFinishesWhatIsOpenAndRefusesWhatIsNew() throws Exception {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster)) {
            var worker = cluster.worker(StandInWorker.saying("still here"), Duration.ofMillis(50))
                    .stand();
            var open = CompletableFuture.supplyAsync(
                    () -> door.answer("/v1/completions", "{\"prompt\":\"a\",\"max_tokens\":20}"));
            cluster.awaitWorking(worker, 1);
            assertThat(door.get("/health").statusCode()).isEqualTo(200);
            cluster.frontend().drain();
            assertThat(door.get("/health").statusCode()).isEqualTo(503);
            var refused = door.post("/v1/completions", "{\"prompt\":\"a\"}");
            assertThat(refused.statusCode()).isEqualTo(503);
            assertThat(refused.headers().firstValue("Retry-After")).isPresent();
            assertThat(door.server().drain(Duration.ofSeconds(20))).isTrue();
            assertThat(open.get().at("/choices/0/text").asText()).isEqualTo("still here");
        }
    }

    @Test
    void aFailureAmidAStreamIsItsLastFrame() throws IOException {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster)) {
            var joined = cluster.worker(StandInWorker.babbling(), Duration.ofMillis(5));
            try (var socket = door.socket()) {
                var body = "{\"prompt\":\"a\",\"max_tokens\":200,\"stream\":true}";
                socket.getOutputStream()
                        .write((Door.postHead("/v1/completions", body.length()) + body
                                        + "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                                .getBytes(StandardCharsets.US_ASCII));
                socket.getInputStream().readNBytes(500);
                StandInWorker.kill(joined.ref());
                var rest = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                assertThat(rest).contains("data: {\"error\":{\"message\":").doesNotContain("[DONE]");
            }
        }
    }

    /** One response with a Content-Length. */
    private static String readResponse(java.io.InputStream in) throws IOException {
        var head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                return head.toString();
            }
            head.append((char) next);
        }
        var length = head.toString()
                .lines()
                .filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:"))
                .mapToInt(line -> Integer.parseInt(line.substring(15).strip()))
                .findFirst()
                .orElse(0);
        return head + new String(in.readNBytes(length), StandardCharsets.UTF_8);
    }
}
