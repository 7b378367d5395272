package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import java.util.Arrays;
import java.util.List;
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
