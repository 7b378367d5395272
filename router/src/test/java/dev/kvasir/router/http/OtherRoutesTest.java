package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class OtherRoutesTest {
    @Test
    void modelsAreListedAndDescribed() {
        try (var door = Door.saying("x")) {
            var list = Door.json(door.get("/v1/models").body());
            assertThat(list.get("object").asText()).isEqualTo("list");
            var model = list.get("data").get(0);
            assertThat(model.get("id").asText()).isEqualTo(TestModel.NAME);
            assertThat(model.get("object").asText()).isEqualTo("model");
            assertThat(model.get("max_model_len").asInt()).isEqualTo(TestModel.MAX_MODEL_LENGTH);
            assertThat(Door.json(door.get("/v1/models/" + TestModel.NAME).body()))
                    .isEqualTo(model);
        }
    }

    @Test
    void textBecomesTokensAndTokensText() {
        try (var door = Door.saying("x")) {
            var tokens = door.answer("/tokenize", "{\"prompt\":\"hello there\",\"return_token_strs\":true}");
            int[] expected = TestModel.TOKENIZER.encode("hello there", true);
            assertThat(tokens.get("count").asInt()).isEqualTo(expected.length);
            assertThat(tokens.get("tokens")).hasSize(expected.length);
            assertThat(tokens.get("token_strs")).hasSize(expected.length);
            assertThat(tokens.get("max_model_len").asInt()).isEqualTo(TestModel.MAX_MODEL_LENGTH);
            var text =
                    door.answer("/detokenize", "{\"tokens\":" + Arrays.toString(TestModel.tokens("hello there")) + "}");
            assertThat(text.get("prompt").asText()).isEqualTo("hello there");
            assertThat(door.post("/detokenize", "{\"tokens\":[-1]}").body()).contains("\"param\":\"tokens[0]\"");
        }
    }

    @Test
    void variablesOfTheChatTemplateReachIt() {
        try (var door = Door.saying("x")) {
            var body = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"chat_template_kwargs\":%s}";
            var tokens = door.answer("/tokenize", body.formatted("{\"enable_thinking\":false,\"depth\":{\"a\":[1]}}"))
                    .get("tokens");
            var text = door.answer("/detokenize", "{\"tokens\":" + tokens + "}").get("prompt");
            assertThat(text.asText()).contains("enable_thinking=false\ndepth={a=[1]}\n");
            assertThat(door.answer("/v1/chat/completions", body.formatted("{\"enable_thinking\":false}"))
                            .at("/usage/prompt_tokens")
                            .asInt())
                    .isGreaterThan(10);
            for (var wrong : List.of("[]", "\"x\"", "{\"messages\":[]}", "{\"tools\":[]}")) {
                var refused = door.post("/v1/chat/completions", body.formatted(wrong));
                assertThat(refused.statusCode()).isEqualTo(400);
                assertThat(refused.body()).contains("\"param\":\"chat_template_kwargs\"");
            }
        }
    }

    @Test
    void healthFollowsTheWorkers() {
        try (var cluster = TestCluster.start("");
                var door = Door.open(cluster)) {
            assertThat(door.get("/health").statusCode()).isEqualTo(503);
            assertThat(door.post("/v1/completions", "{\"prompt\":\"a\"}").statusCode())
                    .isEqualTo(503);
            cluster.worker(dev.kvasir.router.StandInWorker.saying("x"));
            assertThat(door.get("/health").statusCode()).isEqualTo(200);
            assertThat(door.get("/ping").statusCode()).isEqualTo(200);
            assertThat(door.post("/ping", "").statusCode()).isEqualTo(200);
        }
    }

    /** Were a body sent, it would be read as the beginning of the next answer. */
    @Test
    void headIsAnsweredWithoutABodyOnAConnectionThatGoesOn() {
        try (var door = Door.saying("x")) {
            var paths =
                    List.of("/health", "/ping", "/version", "/metrics", "/v1/models", "/v1/completions", "/nowhere");
            var statuses = List.of(200, 200, 200, 200, 200, 405, 404);
            var requests = paths.stream()
                    .map(path -> "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n".formatted(path))
                    .collect(Collectors.joining());
            var answers = door.raw(requests + "GET /load HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    .split("\r\n\r\n", -1);
            for (int i = 0; i < paths.size(); i++) {
                assertThat(answers[i]).as(paths.get(i)).startsWith("HTTP/1.1 " + statuses.get(i) + " ");
            }
            assertThat(answers[2])
                    .containsIgnoringCase(
                            "Content-Length: " + door.get("/version").body().length());
            assertThat(answers[paths.size()]).startsWith("HTTP/1.1 200 ");
            assertThat(answers[paths.size() + 1]).isEqualTo("{\"server_load\":0}");
        }
    }

    @Test
    void headDoesNotTakeAStreamOver() {
        try (var door = Door.saying("x")) {
            assertThat(door.raw("HEAD /v1/streams/cmpl-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
                    .startsWith("HTTP/1.1 405 ")
                    .containsIgnoringCase("Allow: GET\r\n");
        }
    }

    @Test
    void membersWithoutADoorAnswerHeadToo() throws IOException, InterruptedException {
        var server = StatusServer.start("127.0.0.1", 0, new PrometheusRegistry(), "1.2.3", () -> true);
        try (server;
                var client = HttpClient.newHttpClient()) {
            for (var path : List.of("/health", "/version", "/metrics")) {
                var head = HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d%s".formatted(server.port(), path)))
                        .HEAD()
                        .build();
                var answer = client.send(head, HttpResponse.BodyHandlers.ofString());
                assertThat(answer.statusCode()).as(path).isEqualTo(200);
                assertThat(answer.body()).isEmpty();
            }
        }
    }

    @Test
    void metricsVersionAndLoadAreShown() {
        try (var door = Door.saying("x")) {
            door.answer("/v1/completions", "{\"prompt\":\"a\"}");
            var metrics = door.get("/metrics");
            assertThat(metrics.headers().firstValue("Content-Type").orElse("")).startsWith("text/plain");
            assertThat(metrics.body())
                    .contains("vllm:time_to_first_token_seconds_count{model_name=\"test-model\"} 1")
                    .contains("vllm:request_success_total{")
                    .contains("jvm_memory_used_bytes");
            assertThat(Door.json(door.get("/version").body()).get("version").asText())
                    .isEqualTo("1.2.3");
            assertThat(Door.json(door.get("/load").body()).get("server_load").asInt())
                    .isZero();
        }
    }
}
