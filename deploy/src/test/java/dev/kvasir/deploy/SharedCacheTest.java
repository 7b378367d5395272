package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.deploy.Settings.Flag;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Three members in one process: a router that is a kvstore too, and two workers, one after the other. */
final class SharedCacheTest {
    private static KvasirNode member(String roles, Map<String, String> more) throws InterruptedException {
        var flags = new HashMap<Flag, String>();
        var settings = new HashMap<>(more);
        settings.put("kvasir.roles", roles);
        settings.put("kvasir.router.http-port", "0");
        settings.put("kvasir.router.grpc-port", "0");
        settings.put("kvasir.worker.num-kv-blocks", "512");
        settings.put("kvasir.worker.deterministic", "true");
        settings.put("kvasir.warm-up-timeout", "1 s");
        settings.forEach((key, value) -> flags.put(new Flag("--" + key, key), value));
        return KvasirNode.start(
                KvasirConfig.load(null, System.getenv(), flags),
                new StartReport(new PrintWriter(new StringWriter()), true));
    }

    private static JsonNode ask(KvasirNode router, int[] prompt) throws IOException, InterruptedException {
        var request = ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("max_tokens", 16)
                .put("temperature", 0)
                .put("ignore_eos", true);
        var tokens = request.putArray("prompt");
        for (int token : prompt) {
            tokens.add(token);
        }
        try (var client = HttpClient.newHttpClient()) {
            while (true) {
                var answer = client.send(
                        HttpRequest.newBuilder(router.addresses().http().resolve("/v1/completions"))
                                .header("Content-Type", "application/json")
                                .POST(HttpRequest.BodyPublishers.ofString(request.toString()))
                                .build(),
                        BodyHandlers.ofString());
                // The router hears of workers that come and go with a delay.
                if (answer.statusCode() != 503) {
                    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
                    return ApiClient.JSON.readTree(answer.body());
                }
            }
        }
    }

    private static int cachedTokens(JsonNode answer) {
        return answer.path("usage")
                .path("prompt_tokens_details")
                .path("cached_tokens")
                .asInt();
    }

    private static String text(JsonNode answer) {
        return answer.path("choices").path(0).path("text").asText();
    }

    /** Blocks that the router's own kvstore has. */
    private static int kept(KvasirNode router) throws IOException, InterruptedException {
        try (var client = HttpClient.newHttpClient()) {
            var metrics = client.send(
                    HttpRequest.newBuilder(router.addresses().http().resolve("/metrics"))
                            .build(),
                    BodyHandlers.ofString());
            return metrics.body()
                    .lines()
                    .filter(line -> line.startsWith("kvasir:kvstore_memory_blocks "))
                    .mapToInt(line -> (int) Double.parseDouble(line.substring(line.indexOf(' ') + 1)))
                    .sum();
        }
    }

    @Test
    void aLostWorkersPromptsAreNotComputedAgainAndTheAnswersAreTheSame() throws IOException, InterruptedException {
        var random = new Random(7);
        var prompts = new ArrayList<int[]>();
        var answers = new ArrayList<String>();
        try (var router = member("router,kvstore", Map.of())) {
            // However slow this machine is just now.
            var settings = Map.of(
                    "kvasir.cluster.join", router.addresses().cluster(),
                    "kvasir.worker.sharing.offer", "all",
                    "kvasir.worker.sharing.pull-timeout", "5 minutes");
            try (var worker = member("worker", settings)) {
                assertThat(worker.describeWorker()).contains("512 KV blocks");
                // What is computed before the worker has heard of the kvstore is not offered.
                while (kept(router) < 2 * 31) {
                    var prompt = random.ints(500, 300, 1000).toArray();
                    prompts.add(prompt);
                    answers.add(text(ask(router, prompt)));
                }
            }
            int cached = 0;
            try (var worker = member("worker", settings)) {
                assertThat(worker.describeWorker()).contains("512 KV blocks");
                for (int i = 0; i < prompts.size(); i++) {
                    var again = ask(router, prompts.get(i));
                    assertThat(text(again)).isEqualTo(answers.get(i));
                    cached = Math.max(cached, cachedTokens(again));
                }
            }
            assertThat(cached).isPositive();
        }
    }
}
