package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.TestModel;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ChatTest {
    private static final String PATH = "/v1/chat/completions";
    private static final String HELLO = "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]";
    private Door door;

    @BeforeAll
    void open() {
        door = Door.saying("hi, how are you");
    }

    @AfterAll
    void close() {
        door.close();
    }

    @Test
    void anAnswerHasTheShapeOfOpenAi() {
        var answer = door.answer(PATH, "{\"model\":\"test-model\"," + HELLO + ",\"n\":2}");
        assertThat(answer.get("id").asText()).matches("chatcmpl-[0-9a-f]{32}");
        assertThat(answer.get("object").asText()).isEqualTo("chat.completion");
        assertThat(answer.get("choices")).hasSize(2);
        var choice = answer.get("choices").get(1);
        assertThat(choice.get("index").asInt()).isEqualTo(1);
        assertThat(choice.at("/message/role").asText()).isEqualTo("assistant");
        assertThat(choice.at("/message/content").asText()).isEqualTo("hi, how are you");
        assertThat(choice.get("finish_reason").asText()).isEqualTo("stop");
        assertThat(answer.at("/usage/completion_tokens").asInt())
                .isEqualTo(2 * (TestModel.tokens("hi, how are you").length + 1));
    }

    @Test
    void aStreamBeginsWithTheRoleAndEndsWithTheReason() {
        var chunks = door.stream(PATH, "{" + HELLO + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
        var first = chunks.getFirst();
        assertThat(first.get("object").asText()).isEqualTo("chat.completion.chunk");
        assertThat(first.at("/choices/0/delta/role").asText()).isEqualTo("assistant");
        assertThat(first.at("/choices/0/delta/content").asText()).isEmpty();
        assertThat(first.get("usage").isNull()).isTrue();
        assertThat(chunks.stream()
                        .map(c -> c.at("/choices/0/delta/content").asText(""))
                        .collect(Collectors.joining()))
                .isEqualTo("hi, how are you");
        assertThat(chunks.get(chunks.size() - 2).at("/choices/0/finish_reason").asText())
                .isEqualTo("stop");
        assertThat(chunks.getLast().get("choices")).isEmpty();
        assertThat(chunks.getLast().at("/usage/total_tokens").asInt()).isPositive();
        assertThat(chunks.stream().filter(c -> c.at("/choices/0/delta").has("role")))
                .hasSize(1);
    }

    @Test
    void continuousUsageCountsEachOutputByItself() {
        var chunks = door.stream(
                PATH,
                "{" + HELLO + ",\"n\":2,\"stream\":true,"
                        + "\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true}}");
        int prompt = chunks.getFirst().at("/usage/prompt_tokens").asInt();
        int whole = TestModel.tokens("hi, how are you").length + 1;
        assertThat(prompt).isPositive();
        for (int index = 0; index < 2; index++) {
            int output = index;
            var counts = chunks.stream()
                    .filter(c -> c.at("/choices/0/index").asInt(-1) == output)
                    .map(c -> c.at("/usage/completion_tokens").asInt(-1))
                    .toList();
            assertThat(counts).isSorted().startsWith(0).endsWith(whole);
        }
        assertThat(chunks).allSatisfy(c -> {
            var usage = c.get("usage");
            assertThat(usage.get("prompt_tokens").asInt()).isEqualTo(prompt);
            assertThat(usage.get("total_tokens").asInt())
                    .isEqualTo(prompt + usage.get("completion_tokens").asInt());
        });
        assertThat(chunks.getLast().get("choices")).isEmpty();
        assertThat(chunks.getLast().at("/usage/completion_tokens").asInt()).isEqualTo(2 * whole);
        assertThat(chunks.getLast().at("/usage").has("prompt_tokens_details")).isTrue();
    }

    @Test
    void continuousUsageNeedsUsage() {
        var chunks = door.stream(
                PATH, "{" + HELLO + ",\"stream\":true,\"stream_options\":{\"continuous_usage_stats\":true}}");
        assertThat(chunks).noneMatch(c -> c.has("usage"));
    }

    @Test
    void logprobsComeWithBytesAndAlternatives() {
        var answer = door.answer(PATH, "{" + HELLO + ",\"logprobs\":true,\"top_logprobs\":2,\"max_tokens\":3}");
        var content = answer.at("/choices/0/logprobs/content");
        assertThat(content).hasSize(3);
        assertThat(CompletionsTest.fields(content.get(0))).containsExactly("token", "logprob", "bytes", "top_logprobs");
        assertThat(content.get(0).get("token").asText()).isEqualTo("h");
        assertThat(content.get(0).get("bytes")).hasSize(1);
        assertThat(content.get(0).get("top_logprobs")).hasSize(2);
    }

    @Test
    void maxCompletionTokensWinsOverMaxTokens() {
        var answer = door.answer(PATH, "{" + HELLO + ",\"max_completion_tokens\":2,\"max_tokens\":4}");
        assertThat(answer.at("/usage/completion_tokens").asInt()).isEqualTo(2);
        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
    }

    @Test
    void partsOfTextAreJoined() {
        var parts = "[{\"type\":\"text\",\"text\":\"hello\"},{\"type\":\"text\",\"text\":\"there\"}]";
        var asParts = door.answer("/tokenize", "{\"messages\":[{\"role\":\"user\",\"content\":" + parts + "}]}");
        var asText = door.answer("/tokenize", "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\\nthere\"}]}");
        assertThat(asParts).isEqualTo(asText);
    }

    @Test
    void whatSaysThatNothingIsWantedIsTaken() {
        door.answer(
                PATH,
                "{" + HELLO
                        + ",\"tools\":[],\"tool_choice\":\"none\",\"functions\":null,\"response_format\":{\"type\":\"text\"},"
                        + "\"user\":\"me\",\"metadata\":{\"a\":\"b\"},\"stop\":null,\"logit_bias\":{},\"modalities\":[\"text\"],"
                        + "\"some_future_field\":{\"x\":[1]},\"max_tokens\":1}");
    }
}
