package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.GenerationDefaults;
import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.FailureKind;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class RequestRulesTest {
    private static final ServedModel MODEL = TestModel.served();

    private static Arguments bad(String field, String message, UnaryOperator<RequestDraft> change) {
        return Arguments.of(field, message, change);
    }

    static Stream<Arguments> badRequests() {
        int vocabulary = MODEL.vocabularySize();
        var manyBiases = LongStream.range(0, 1025).boxed().collect(Collectors.toMap(i -> i, _ -> 1.0));
        return Stream.of(
                bad("prompt", "prompt is missing", d -> d.prompt(null)),
                bad("prompt", "prompt is empty", d -> d.prompt(new Prompt.Text("", true))),
                bad("prompt", "prompt is empty", d -> d.prompt(new Prompt.Tokens(new long[0]))),
                bad("prompt[1]", "prompt[1] is -1", d -> d.prompt(new Prompt.Tokens(new long[] {1, -1}))),
                bad("prompt[0]", "is " + vocabulary, d -> d.prompt(new Prompt.Tokens(new long[] {vocabulary}))),
                bad("prompt[0]", "is 2147483648", d -> d.prompt(new Prompt.Tokens(new long[] {1L << 31}))),
                bad("messages", "messages is 0 entries", d -> d.prompt(new Prompt.Chat(List.of(), true, false))),
                bad(
                        "continue_final_message",
                        "true together with add_generation_prompt",
                        d -> d.prompt(new Prompt.Chat(List.of(new ChatMessage("user", "hi")), true, true))),
                bad("max_tokens", "max_tokens is 0 but must be at least 1", d -> d.maxTokens(0L)),
                bad("max_tokens", "max_tokens is -1", d -> d.maxTokens(-1L)),
                bad(
                        "min_tokens",
                        "min_tokens is 6 but must be 0..max_tokens (5)",
                        d -> d.maxTokens(5L).minTokens(6L)),
                bad("n", "n is 0 but must be 1..16", d -> d.n(0L)),
                bad("n", "n is 1000000000", d -> d.n(1_000_000_000L)),
                bad("temperature", "temperature is -1.0", d -> d.temperature(-1.0)),
                bad("temperature", "temperature is NaN", d -> d.temperature(Double.NaN)),
                bad("temperature", "temperature is 1.0E30", d -> d.temperature(1e30)),
                bad("temperature", "temperature is 1.0E300", d -> d.temperature(1e300)),
                bad("top_p", "top_p is 0.0", d -> d.topP(0.0)),
                bad("top_p", "top_p is 1.1", d -> d.topP(1.1)),
                bad("top_k", "top_k is -2", d -> d.topK(-2L)),
                bad("min_p", "min_p is 2.0", d -> d.minP(2.0)),
                bad("presence_penalty", "presence_penalty is 2.1", d -> d.presencePenalty(2.1)),
                bad("frequency_penalty", "is Infinity", d -> d.frequencyPenalty(Double.POSITIVE_INFINITY)),
                bad("repetition_penalty", "repetition_penalty is 0.0", d -> d.repetitionPenalty(0.0)),
                bad("logit_bias", "for token 999999", d -> d.logitBias(Map.of(999_999L, 1.0))),
                bad("logit_bias[7]", "logit_bias[7] is 1.0E9", d -> d.logitBias(Map.of(7L, 1e9))),
                bad("logit_bias", "1025 entries", d -> d.logitBias(manyBiases)),
                bad("logprobs", "logprobs is 21", d -> d.logprobs(21L)),
                bad("prompt_logprobs", "prompt_logprobs is -1", d -> d.promptLogprobs(-1L)),
                bad("stop", "17 entries", d -> d.stop(Collections.nCopies(17, "x"))),
                bad("stop[1]", "stop[1] is 0 characters", d -> d.stop(List.of("x", ""))),
                bad("stop[0]", "stop[0] is 1000000 characters", d -> d.stop(List.of("x".repeat(1_000_000)))),
                bad("stop[0]", "only U+FFFD", d -> d.stop(List.of("\uFFFD\uFFFD"))),
                bad("stop[0]", "half a surrogate pair", d -> d.stop(List.of("x\uD800"))),
                bad("stop_token_ids[0]", "is -5", d -> d.stopTokenIds(List.of(-5L))),
                bad("stop_token_ids", "129 entries", d -> d.stopTokenIds(Collections.nCopies(129, 1L))),
                bad("cache_salt", "0 characters", d -> d.cacheSalt("")),
                bad("cache_salt", "1025 characters", d -> d.cacheSalt("x".repeat(1025))),
                bad("cache_salt", "not printable at character 1", d -> d.cacheSalt("a\nb")),
                bad("priority", "priority is 101 but must be -100..100", d -> d.priority(101L)),
                bad("user_request_id", "not ASCII at character 2", d -> d.userRequestId("id\r\n")),
                bad("user_request_id", "10000 characters", d -> d.userRequestId("x".repeat(10_000))));
    }

    @ParameterizedTest
    @MethodSource("badRequests")
    void badValueIsRefusedWithFieldAndValue(String field, String message, UnaryOperator<RequestDraft> change) {
        assertThatThrownBy(() -> validate(change.apply(draft("hello"))))
                .isInstanceOfSatisfying(
                        BadRequestException.class, e -> assertThat(e.field()).isEqualTo(field))
                .hasMessageContaining(message);
    }

    @Test
    void promptThatFillsTheContextIsRefusedWithBothNumbers() {
        assertTooLong(
                draft("x").prompt(new Prompt.Tokens(new long[256])),
                "prompt has 256 tokens and max_tokens is at least 1",
                "256 tokens");
        assertTooLong(draft("x").prompt(new Prompt.Tokens(new long[257])), "prompt has 257 tokens", "is 256 tokens");
        assertTooLong(
                draft("x").prompt(new Prompt.Tokens(new long[200])).maxTokens(57L),
                "prompt has 200 tokens and max_tokens is 57",
                "is 256 tokens");
        assertTooLong(draft("x").maxTokens(Long.MAX_VALUE), "max_tokens is 9223372036854775807", "is 256 tokens");
    }

    @Test
    void promptOfTooManyCharactersIsRefusedBeforeItIsTokenized() {
        assertTooLong(draft("x".repeat(2_000_000)), "prompt has 2000000 characters (at most 32768)", "is 256 tokens");
    }

    @Test
    void absentFieldsTakeTheDefaults() {
        var request = validate(draft("hello"));
        var sampling = request.generation().sampling();
        int prompt = request.generation().prompt().length;
        assertThat(sampling.maxTokens()).isEqualTo(256 - prompt);
        assertThat(sampling.temperature()).isEqualTo(1);
        assertThat(sampling.topP()).isEqualTo(1);
        assertThat(sampling.topK()).isZero();
        assertThat(sampling.n()).isEqualTo(1);
        assertThat(sampling.logprobs()).isEqualTo(-1);
        assertThat(request.text()).isEqualTo(TextOptions.plain());
    }

    @Test
    void absentFieldsTakeTheModelsDefaultsAndGivenOnesDoNot() {
        var model = TestModel.served(new GenerationDefaults(0.6, 0.9, 40, 0.05, 1.1, 20, List.of(2)));
        var random = new SplittableRandom(1);
        var absent = RequestRules.validate(draft("hello"), model, true, random)
                .generation()
                .sampling();
        assertThat(absent.temperature()).isEqualTo(0.6f);
        assertThat(absent.topP()).isEqualTo(0.9f);
        assertThat(absent.topK()).isEqualTo(40);
        assertThat(absent.minP()).isEqualTo(0.05f);
        assertThat(absent.repetitionPenalty()).isEqualTo(1.1f);
        assertThat(absent.maxTokens()).isEqualTo(20);
        var given = RequestRules.validate(
                        draft("hello").temperature(0.0).topK(-1L).maxTokens(30L), model, true, random)
                .generation()
                .sampling();
        assertThat(given.temperature()).isZero();
        assertThat(given.topK()).isZero();
        assertThat(given.maxTokens()).isEqualTo(30);
    }

    @Test
    void tinyTemperatureDoesNotBecomeGreedy() {
        assertThat(validate(draft("hello").temperature(1e-300))
                        .generation()
                        .sampling()
                        .isGreedy())
                .isFalse();
    }

    @Test
    void modelWithoutATemplateRefusesConversations() {
        var text = new ModelText(TestModel.TOKENIZER, Optional.empty());
        var model = ServedModel.of("plain", text, GenerationDefaults.none(List.of()), 64, 500);
        var draft = draft("x").prompt(new Prompt.Chat(List.of(new ChatMessage("user", "hi")), true, false));
        assertThatThrownBy(() -> RequestRules.validate(draft, model, true, new SplittableRandom(1)))
                .isInstanceOf(BadRequestException.class)
                .hasMessageContaining("plain has no chat template");
    }

    @Test
    void conversationThatTheTemplateRefusesIsRefusedNamingTheMessages() {
        var text = new ModelText(TestModel.TOKENIZER, Optional.of((_, _) -> {
            throw new PromptException("roles must alternate");
        }));
        var model = ServedModel.of("strict", text, GenerationDefaults.none(List.of()), 64, 500);
        var draft = draft("x").prompt(new Prompt.Chat(List.of(new ChatMessage("user", "hi")), true, false));
        assertThatThrownBy(() -> RequestRules.validate(draft, model, true, new SplittableRandom(1)))
                .isInstanceOfSatisfying(
                        BadRequestException.class, e -> assertThat(e.field()).isEqualTo("messages"))
                .hasMessage("roles must alternate");
    }

    @Test
    void echoRepeatsTheTextAsItCame() {
        assertThat(validate(draft("a  b").echo(true)).promptText()).isEqualTo("a  b");
        assertThat(validate(draft("")
                                .prompt(new Prompt.Tokens(longs("hi there")))
                                .echo(true))
                        .promptText())
                .isEqualTo("hi there");
    }

    private static long[] longs(String text) {
        return Arrays.stream(TestModel.tokens(text)).asLongStream().toArray();
    }

    private static void assertTooLong(RequestDraft draft, String... parts) {
        assertThatThrownBy(() -> validate(draft))
                .isInstanceOfSatisfying(
                        RequestFailedException.class,
                        e -> assertThat(e.failure().kind()).isEqualTo(FailureKind.CONTEXT_LENGTH_EXCEEDED))
                .hasMessageContainingAll(parts);
    }

    private static RequestDraft draft(String text) {
        return RequestDraft.of(TestModel.NAME, 0).prompt(new Prompt.Text(text, true));
    }

    private static ValidRequest validate(RequestDraft draft) {
        return RequestRules.validate(draft, MODEL, true, new SplittableRandom(1));
    }
}
