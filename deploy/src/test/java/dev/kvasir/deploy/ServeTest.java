package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.deploy.Settings.Flag;
import dev.kvasir.v1.ChatMessage;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.ListModelsRequest;
import dev.kvasir.v1.Sampling;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.PoisonPill;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** One process with all roles, the bundled model, and both doors on free ports. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class ServeTest {
    private static final String PROMPT = "What is 17 + 25?";

    private final StringWriter report = new StringWriter();
    private String metricsAtStart;
    private KvasirNode node;
    private ManagedChannel channel;

    @BeforeAll
    void start() throws InterruptedException, IOException {
        node = KvasirNode.start(config(Map.of()), new StartReport(new PrintWriter(report), true));
        try (var client = HttpClient.newHttpClient()) {
            var page = HttpRequest.newBuilder(node.addresses().http().resolve("/metrics"))
                    .build();
            metricsAtStart = client.send(page, BodyHandlers.ofString()).body();
        }
        channel = NettyChannelBuilder.forTarget(node.addresses().grpc())
                .usePlaintext()
                .build();
    }

    @AfterAll
    void stop() {
        channel.shutdownNow();
        node.close();
    }

    private static KvasirConfig config(Map<String, String> more) {
        var flags = new HashMap<Flag, String>();
        flags.put(new Flag("--port", "kvasir.router.http-port"), "0");
        flags.put(new Flag("--grpc-port", "kvasir.router.grpc-port"), "0");
        flags.put(new Flag("--num-kv-blocks", "kvasir.worker.num-kv-blocks"), "512");
        flags.put(new Flag("--warm-up", "kvasir.warm-up-timeout"), "2 s");
        more.forEach((key, value) -> {
            flags.keySet().removeIf(flag -> flag.key().equals(key));
            flags.put(new Flag("--" + key, key), value);
        });
        return KvasirConfig.load(null, System.getenv(), flags);
    }

    private static ObjectNode greedy(String prompt) {
        return ApiClient.JSON
                .createObjectNode()
                .put("model", "demo")
                .put("prompt", prompt)
                .put("max_tokens", 24)
                .put("temperature", 0)
                .put("ignore_eos", true);
    }

    private String overHttp(ObjectNode request) throws InterruptedException {
        var text = new StringBuilder();
        try (var client = new ApiClient(node.addresses().http())) {
            client.stream("/v1/completions", request, text::append);
        }
        return text.toString();
    }

    private String overGrpc(String prompt) {
        var request = GenerateRequest.newBuilder()
                .setText(prompt)
                .setSampling(
                        Sampling.newBuilder().setMaxTokens(24).setTemperature(0).setIgnoreEos(true))
                .build();
        var text = new StringBuilder();
        InferenceGrpc.newBlockingStub(channel)
                .generate(request)
                .forEachRemaining((GenerateResponse response) ->
                        text.append(response.getOutput().getText()));
        return text.toString();
    }

    @Test
    void warmingUpTheDoorsIsReportedAndCountsForNobody() {
        assertThat(report.toString()).containsPattern("warmed up the doors with [1-9][0-9]* requests");
        assertThat(metricsAtStart)
                .contains("vllm:prompt_tokens_total{model_name=\"demo\"} 0.0")
                .doesNotContain("vllm:time_to_first_token_seconds_count")
                .doesNotContain("vllm:request_success_total{");
    }

    @Test
    void bothDoorsGiveTheSameText() throws InterruptedException {
        var text = overHttp(greedy(PROMPT));
        assertThat(text).isNotBlank();
        assertThat(overGrpc(PROMPT)).isEqualTo(text);
    }

    /** As a client does whose connection broke: whatever the last event was that it had, the rest follows byte for byte. */
    @Test
    void aStreamIsResumedOverHttpAfterAnyEventOfIt() throws Exception {
        resumedAfterAnyEvent(greedy(PROMPT), 5);
    }

    @Test
    void aStreamOfSeveralPromptsIsResumedAsWell() throws Exception {
        var request = greedy("");
        request.putArray("prompt").add(PROMPT).add("Bees fly by day.").add("The river is");
        resumedAfterAnyEvent(request, 11);
    }

    private void resumedAfterAnyEvent(ObjectNode request, int step) throws Exception {
        request.put("stream", true).put("n", 2).put("temperature", 0.9);
        request.putObject("stream_options").put("include_usage", true);
        try (var http = HttpClient.newHttpClient()) {
            var events = events(http, completions(request));
            var id = ApiClient.JSON
                    .readTree(
                            events.getFirst().lines().findFirst().orElseThrow().substring("data: ".length()))
                    .path("id")
                    .asText();
            for (int last = 0; last < events.size() - 2; last += step) {
                var position = events.get(last).substring(events.get(last).indexOf("id: ") + 4);
                var rest = events(
                        http,
                        HttpRequest.newBuilder(node.addresses().http().resolve("/v1/streams/" + id))
                                .header("Last-Event-ID", position));
                assertThat(texts(rest))
                        .as("after %s", position)
                        .isEqualTo(texts(events.subList(last + 1, events.size())));
                assertThat(rest.getLast()).isEqualTo("data: [DONE]");
                assertThat(rest.get(rest.size() - 2)).isEqualTo(events.get(events.size() - 2));
            }
        }
    }

    private HttpRequest.Builder completions(ObjectNode request) {
        return HttpRequest.newBuilder(node.addresses().http().resolve("/v1/completions"))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(request.toString()));
    }

    private static List<String> events(HttpClient http, HttpRequest.Builder request) throws Exception {
        var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return List.of(response.body().split("\n\n"));
    }

    /** Text of each output; events may be cut differently. */
    private static Map<Integer, String> texts(List<String> events) throws IOException {
        var texts = new TreeMap<Integer, String>();
        for (var event : events) {
            var data = event.lines().findFirst().orElseThrow().substring("data: ".length());
            if (!data.equals("[DONE]")) {
                for (var choice : ApiClient.JSON.readTree(data).path("choices")) {
                    texts.merge(
                            choice.path("index").asInt(),
                            choice.path("text").asText()
                                    + choice.path("finish_reason").asText(""),
                            String::concat);
                }
            }
        }
        return texts;
    }

    @Test
    void onePromptOfSeveralIsResumedWithTheOthersOnly() throws Exception {
        var request = greedy("").put("stream", true);
        request.putArray("prompt").add(PROMPT).add("Bees");
        try (var http = HttpClient.newHttpClient()) {
            var first = events(http, completions(request)).getFirst();
            var id = ApiClient.JSON
                    .readTree(first.lines().findFirst().orElseThrow().substring("data: ".length()))
                    .path("id")
                    .asText();
            var response = http.send(
                    HttpRequest.newBuilder(node.addresses().http().resolve("/v1/streams/" + id + "-1"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(response.body()).contains("is a part of another, with which it is resumed: prompt 1 of ");
        }
    }

    @Test
    void anUnknownStreamCannotBeResumed() throws Exception {
        try (var http = HttpClient.newHttpClient()) {
            var request = HttpRequest.newBuilder(node.addresses().http().resolve("/v1/streams/cmpl-0"));
            var response = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(404);
            assertThat(response.body()).contains("request 0 is not known to any worker");
        }
    }

    @Test
    void theDemoModelAddsOverBothDoors() throws InterruptedException {
        var request = ApiClient.JSON.createObjectNode().put("model", "demo").put("temperature", 0);
        request.putArray("messages").addObject().put("role", "user").put("content", PROMPT);
        var text = new StringBuilder();
        try (var client = new ApiClient(node.addresses().http())) {
            assertThat(client.stream("/v1/chat/completions", request, text::append)
                            .finishReason())
                    .isEqualTo("stop");
        }
        assertThat(text.toString()).isEqualTo("42");
        var chat = ChatRequest.newBuilder()
                .addMessages(ChatMessage.newBuilder().setRole("user").setContent(PROMPT))
                .setSampling(Sampling.newBuilder().setTemperature(0))
                .build();
        var overGrpc = new StringBuilder();
        InferenceGrpc.newBlockingStub(channel)
                .chat(chat)
                .forEachRemaining((GenerateResponse response) ->
                        overGrpc.append(response.getOutput().getText()));
        assertThat(overGrpc.toString()).isEqualTo("42");
    }

    @Test
    void bothDoorsNameTheModel() throws InterruptedException {
        try (var client = new ApiClient(node.addresses().http())) {
            assertThat(client.model()).isEqualTo("demo");
        }
        assertThat(InferenceGrpc.newBlockingStub(channel)
                        .listModels(ListModelsRequest.getDefaultInstance())
                        .getModels(0)
                        .getName())
                .isEqualTo("demo");
    }

    @Test
    void aRepeatedPromptIsFoundInTheCache() throws InterruptedException {
        var ids = IntStream.range(0, 200).map(i -> 300 + i).toArray();
        var request = greedy("");
        request.set("prompt", ApiClient.JSON.valueToTree(ids));
        try (var client = new ApiClient(node.addresses().http())) {
            client.stream("/v1/completions", request.deepCopy(), _ -> {});
            assertThat(client.stream("/v1/completions", request.deepCopy(), _ -> {})
                            .cachedTokens())
                    .isBetween(176, 199);
        }
    }

    @Test
    void aRefusalSaysWhy() {
        assertThatThrownBy(() -> overHttp(greedy(PROMPT).put("temperature", -1)))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("temperature");
        assertThatThrownBy(() -> overHttp(greedy(PROMPT).put("model", "nobody")))
                .hasMessageContaining("nobody");
    }

    @Test
    void healthAndMetricsAnswer() throws Exception {
        assertThat(get("/health")).isEqualTo(200);
        assertThat(get("/metrics")).isEqualTo(200);
    }

    private int get(String path) throws Exception {
        var uri = URI.create(node.addresses().http() + path);
        try (var http = HttpClient.newHttpClient()) {
            return http.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString())
                    .statusCode();
        }
    }

    @Test
    void aPortThatIsTakenIsNamed() {
        var taken = config(Map.of(
                "kvasir.router.http-port",
                String.valueOf(node.addresses().httpPort()),
                "kvasir.warm-up-timeout",
                "0 s"));
        assertThatThrownBy(() -> KvasirNode.start(taken, new StartReport(new PrintWriter(new StringWriter()), false)))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("cannot listen for HTTP on 127.0.0.1:"
                        + node.addresses().httpPort());
    }

    @Test
    void aDrainedMemberRefusesAndStops() throws InterruptedException {
        var config = config(Map.of("kvasir.warm-up-timeout", "0 s"));
        try (var other = KvasirNode.start(config, new StartReport(new PrintWriter(new StringWriter()), false));
                var client = new ApiClient(other.addresses().http())) {
            client.stream("/v1/completions", greedy(PROMPT), _ -> {});
            other.drain();
            assertThatThrownBy(() -> client.stream("/v1/completions", greedy(PROMPT), _ -> {}))
                    .isInstanceOf(CommandException.class);
        }
    }

    @Test
    void aMemberWhoseWorkerStopsOfItselfEndsAndMayStartAnewInTheSameProcess() throws Exception {
        var quiet = new StartReport(new PrintWriter(new StringWriter()), false);
        var broken = KvasirNode.start(config(Map.of("kvasir.warm-up-timeout", "0 s")), quiet);
        var at = broken.addresses();
        Adapter.toClassic(broken.system())
                .actorSelection("/system/kvasir-worker")
                .tell(PoisonPill.getInstance(), ActorRef.noSender());
        broken.terminated().toCompletableFuture().get(60, TimeUnit.SECONDS);
        assertThat(broken.workerBroke()).isTrue();
        assertThat(broken.leftOnRequest()).isFalse();

        var again = config(Map.of(
                "kvasir.warm-up-timeout", "0 s",
                "kvasir.router.http-port", Integer.toString(at.httpPort()),
                "kvasir.router.grpc-port", Integer.toString(at.grpcPort()),
                "kvasir.cluster.port", at.cluster().substring(at.cluster().lastIndexOf(':') + 1)));
        try (var node = KvasirNode.start(again, quiet);
                var client = new ApiClient(node.addresses().http())) {
            var text = new StringBuilder();
            client.stream("/v1/completions", greedy(PROMPT), text::append);
            assertThat(text.toString()).isEqualTo(overHttp(greedy(PROMPT)));
            assertThat(node.workerBroke()).isFalse();
        }
    }
}
