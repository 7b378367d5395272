package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CompletionsTest {
    private static final String PATH = "/v1/completions";
    private Door door;

    @BeforeAll
    void open() {
        door = Door.saying("the answer is 42");
    }

    @AfterAll
    void close() {
        door.close();
    }

    @Test
    void aCompletionHasTheShapeOfOpenAi() {
        var answer = door.answer(PATH, "{\"model\":\"test-model\",\"prompt\":\"hello\",\"max_tokens\":50}");
        assertThat(fields(answer)).containsExactly("id", "object", "created", "model", "choices", "usage");
        assertThat(answer.get("id").asText()).matches("cmpl-[0-9a-f]{32}");
        assertThat(answer.get("object").asText()).isEqualTo("text_completion");
        assertThat(answer.get("created").asLong()).isEqualTo(Door.NOW_SECONDS);
        assertThat(answer.get("model").asText()).isEqualTo("test-model");
        var choice = answer.get("choices").get(0);
        assertThat(choice.get("text").asText()).isEqualTo("the answer is 42");
        assertThat(choice.get("finish_reason").asText()).isEqualTo("stop");
        assertThat(choice.get("stop_reason").isNull()).isTrue();
        assertThat(choice.get("logprobs").isNull()).isTrue();
        var usage = answer.get("usage");
        int prompt = TestModel.TOKENIZER.encode("hello", true).length;
        int completion = TestModel.tokens("the answer is 42").length + 1;
        assertThat(usage.get("prompt_tokens").asInt()).isEqualTo(prompt);
        assertThat(usage.get("completion_tokens").asInt()).isEqualTo(completion);
        assertThat(usage.get("total_tokens").asInt()).isEqualTo(prompt + completion);
        assertThat(usage.at("/prompt_tokens_details/cached_tokens").asInt()).isEqualTo(16);
    }

    @Test
    void theEndOfAnAnswerTellsWhereItsRequestWentWhereThatIsWanted() {
        var request = "{\"prompt\":[\"hello\",\"bye\"],\"max_tokens\":4,\"return_placement\":true%s}";
        var placement = door.answer(PATH, request.formatted("")).get("placement");
        assertThat(placement).hasSize(2);
        for (int prompt = 0; prompt < 2; prompt++) {
            var decision = placement.get(prompt);
            assertThat(decision.get("prompt").asInt()).isEqualTo(prompt);
            assertThat(decision.get("policy").asText()).isEqualTo("cost");
            assertThat(decision.get("output_tokens_max").asInt()).isEqualTo(4);
            assertThat(decision.get("candidates")).hasSize(1);
            assertThat(decision.at("/candidates/0/address")).isEqualTo(decision.get("chosen"));
            assertThat(decision.at("/candidates/0/cached_tokens").asInt()).isZero();
        }
        var frames = door.stream(PATH, request.formatted(",\"stream\":true"));
        assertThat(frames.getLast().get("choices")).isEmpty();
        assertThat(frames.getLast().get("placement")).hasSize(2);
        assertThat(frames.getLast().has("usage")).isFalse();
    }

    @Test
    void maxTokensIsSixteenWhereNothingIsSaid() {
        var answer = door.answer(PATH, "{\"prompt\":\"hello\",\"ignore_eos\":true}");
        assertThat(answer.at("/usage/completion_tokens").asInt()).isEqualTo(16);
        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
    }

    @Test
    void theTenantIsReadFromAHeader() {
        try (var other = Door.open(TestCluster.start("tenant-isolation = false"))) {
            other.cluster()
                    .worker((request, output, index) -> StandInWorker.saying(request.tenant()
                                            .name() + "|" + request.tenant().salt())
                            .token(request, output, index));
            var answer = Door.json(other.post("/v1/completions", "{\"prompt\":\"a\"}", "x-kvasir-tenant", "acme")
                    .body());
            assertThat(answer.path("choices").path(0).path("text").asText()).isEqualTo("acme|");
            var refused = other.post("/v1/completions", "{\"prompt\":\"a\"}", "x-kvasir-tenant", "a b");
            assertThat(refused.statusCode()).isEqualTo(400);
            assertThat(refused.body()).contains("tenant is a b but must be printable ASCII without spaces");
        }
    }

    @Test
    void theDeadlineIsReadFromAHeader() {
        try (var other = Door.open(TestCluster.start(""))) {
            other.cluster().worker(StandInWorker.babbling(), Duration.ofSeconds(5));
            var late = other.post("/v1/completions", "{\"prompt\":\"a\"}", "x-kvasir-timeout-ms", "40");
            assertThat(late.statusCode()).isEqualTo(504);
            var refused = other.post("/v1/completions", "{\"prompt\":\"a\"}", "x-kvasir-timeout-ms", "soon");
            assertThat(refused.statusCode()).isEqualTo(400);
            assertThat(refused.body())
                    .contains("X-Kvasir-Timeout-Ms is soon but must be a number of milliseconds, at least 1");
        }
    }

    @Test
    void everyPromptHasItsChoicesInOrder() {
        var ids = java.util.Arrays.toString(TestModel.tokens("hello"));
        for (var prompt : List.of("[\"a\",\"b\",\"c\"]", "[%s,%s,%s]".formatted(ids, ids, ids))) {
            var answer = door.answer(PATH, "{\"prompt\":%s,\"n\":2,\"max_tokens\":50}".formatted(prompt));
            var choices = answer.get("choices");
            assertThat(choices).hasSize(6);
            for (int i = 0; i < 6; i++) {
                assertThat(choices.get(i).get("index").asInt()).isEqualTo(i);
                assertThat(choices.get(i).get("text").asText()).isEqualTo("the answer is 42");
            }
        }
        assertThat(door.answer(PATH, "{\"prompt\":%s}".formatted(ids)).get("choices"))
                .hasSize(1);
    }

    @Test
    void aStreamIsTheAnswerInPieces() {
        var chunks = door.stream(
                PATH,
                "{\"prompt\":[\"a\",\"b\"],\"n\":2,\"max_tokens\":50,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
        for (int index = 0; index < 4; index++) {
            var mine = choices(chunks, index);
            assertThat(mine.stream().map(c -> c.get("text").asText()).collect(Collectors.joining()))
                    .isEqualTo("the answer is 42");
            assertThat(mine.getLast().get("finish_reason").asText()).isEqualTo("stop");
            assertThat(mine.subList(0, mine.size() - 1))
                    .allSatisfy(c -> assertThat(c.get("finish_reason").isNull()).isTrue());
        }
        assertThat(chunks.subList(0, chunks.size() - 1))
                .allSatisfy(c -> assertThat(c.get("usage").isNull()).isTrue());
        var last = chunks.getLast();
        assertThat(last.get("choices")).isEmpty();
        assertThat(last.at("/usage/completion_tokens").asInt())
                .isEqualTo(4 * (TestModel.tokens("the answer is 42").length + 1));
        assertThat(chunks.stream().map(c -> c.get("id").asText()).distinct()).hasSize(1);
    }

    @Test
    void aStreamWithoutUsageHasNone() {
        var chunks = door.stream(PATH, "{\"prompt\":\"a\",\"stream\":true}");
        assertThat(chunks)
                .noneMatch(c -> c.has("usage"))
                .noneMatch(c -> c.get("choices").isEmpty());
    }

    @Test
    void logprobsHaveOneEntryPerToken() {
        var answer = door.answer(PATH, "{\"prompt\":\"a\",\"max_tokens\":3,\"logprobs\":2}");
        var logprobs = answer.at("/choices/0/logprobs");
        assertThat(fields(logprobs)).containsExactly("tokens", "token_logprobs", "top_logprobs", "text_offset");
        assertThat(fields(logprobs))
                .allSatisfy(name -> assertThat(logprobs.get(name)).hasSize(3));
        assertThat(logprobs.get("text_offset").get(0).asInt()).isZero();
        assertThat(logprobs.get("text_offset").get(1).asInt())
                .isEqualTo(logprobs.get("tokens").get(0).asText().length());
        assertThat(logprobs.get("token_logprobs").get(0).asDouble()).isEqualTo(-0.5);
    }

    /** The requests that lm-eval sends for log-likelihoods, and how it reads the answers. */
    @Test
    void anEchoedPromptIsScoredAsEvaluationHarnessesReadIt() {
        var prompt = TestModel.tokens("two and two");
        for (int maxTokens = 0; maxTokens <= 1; maxTokens++) {
            var body =
                    "{\"model\":\"test-model\",\"prompt\":[%s],\"temperature\":0,\"max_tokens\":%d,\"logprobs\":1,\"echo\":true,\"seed\":1234}"
                            .formatted(java.util.Arrays.toString(prompt), maxTokens);
            var answer = door.answer(PATH, body);
            var logprobs = answer.at("/choices/0/logprobs");
            assertThat(fields(logprobs))
                    .allSatisfy(name -> assertThat(logprobs.get(name))
                            .hasSize(prompt.length
                                    + (int) answer.at("/usage/completion_tokens")
                                            .asLong()));
            assertThat(answer.at("/usage/completion_tokens").asInt()).isEqualTo(maxTokens);
            assertThat(logprobs.get("token_logprobs").get(0).isNull()).isTrue();
            assertThat(logprobs.get("top_logprobs").get(0).isNull()).isTrue();
            for (int i = 1; i < prompt.length; i++) {
                double logprob = logprobs.get("token_logprobs").get(i).doubleValue();
                assertThat(logprob).isEqualTo(-0.5);
                assertThat(logprobs.get("top_logprobs").get(i).values())
                        .toIterable()
                        .anySatisfy(top -> assertThat(top.doubleValue()).isEqualTo(logprob));
            }
            assertThat(answer.at("/choices/0/text").asText()).startsWith("two and two");
            assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
            if (maxTokens == 0) {
                assertThat(answer.at("/choices/0/text").asText()).isEqualTo("two and two");
            }
        }
    }

    @Test
    void anEchoedStreamBeginsWithThePrompt() {
        var chunks = door.stream(
                PATH, "{\"prompt\":\"two and\",\"echo\":true,\"logprobs\":0,\"max_tokens\":50,\"stream\":true}");
        var mine = choices(chunks, 0);
        assertThat(mine.stream().map(c -> c.get("text").asText()).collect(Collectors.joining()))
                .isEqualTo("two andthe answer is 42");
        int tokens =
                mine.stream().mapToInt(c -> c.at("/logprobs/tokens").size()).sum();
        int prompt = TestModel.TOKENIZER.encode("two and", true).length;
        assertThat(tokens).isEqualTo(prompt + TestModel.tokens("the answer is 42").length + 1);
    }

    @Test
    void promptLogprobsHaveTheShapeOfVllm() {
        var answer = door.answer(PATH, "{\"prompt\":\"two and two\",\"prompt_logprobs\":1,\"max_tokens\":1}");
        var scored = answer.at("/choices/0/prompt_logprobs");
        int[] prompt = TestModel.TOKENIZER.encode("two and two", true);
        assertThat(scored).hasSize(prompt.length);
        assertThat(scored.get(0).isNull()).isTrue();
        var second = scored.get(1).get(Integer.toString(prompt[1]));
        assertThat(fields(second)).containsExactly("logprob", "rank", "decoded_token");
        assertThat(second.get("rank").asInt()).isEqualTo(1);
    }

    @Test
    void stopTextsEndAnOutputAndSayWhy() {
        var answer = door.answer(PATH, "{\"prompt\":\"a\",\"max_tokens\":50,\"stop\":\" is\"}");
        assertThat(answer.at("/choices/0/text").asText()).isEqualTo("the answer");
        assertThat(answer.at("/choices/0/stop_reason").asText()).isEqualTo(" is");
        var kept = door.answer(
                PATH, "{\"prompt\":\"a\",\"max_tokens\":50,\"stop\":[\" is\"],\"include_stop_str_in_output\":true}");
        assertThat(kept.at("/choices/0/text").asText()).isEqualTo("the answer is");
    }

    @Test
    void tokenIdsAreReturnedWhereAskedFor() {
        var answer = door.answer(PATH, "{\"prompt\":\"a\",\"max_tokens\":2,\"return_token_ids\":true}");
        assertThat(answer.at("/choices/0/token_ids")).hasSize(2);
        assertThat(answer.at("/choices/0/prompt_token_ids")).hasSize(TestModel.TOKENIZER.encode("a", true).length);
    }

    private static List<JsonNode> choices(List<JsonNode> chunks, int index) {
        return chunks.stream()
                .flatMap(chunk -> StreamSupport.stream(chunk.get("choices").spliterator(), false))
                .filter(choice -> choice.get("index").asInt() == index)
                .toList();
    }

    static List<String> fields(JsonNode node) {
        var names = new java.util.ArrayList<String>();
        node.fieldNames().forEachRemaining(names::add);
        return names;
    }
}
