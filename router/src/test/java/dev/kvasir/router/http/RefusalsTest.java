package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bad requests: each is answered with the right status, and an error object that names what is wrong. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RefusalsTest {
    private static final String COMPLETIONS = "/v1/completions";
    private static final String CHAT = "/v1/chat/completions";
    private Door door;

    @BeforeAll
    void open() {
        door = Door.saying("fine");
    }

    @AfterAll
    void theDoorStillAnswers() {
        door.answer(COMPLETIONS, "{\"prompt\":\"a\"}");
        door.cluster().awaitQuiet();
        door.close();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "``|it is empty",
                "nonsense|line 1, column 1",
                "{\"prompt\":\"a\"} x|line 1, column 16",
                "{\"prompt\":\"a\",}|line 1, column",
                "{\"prompt\":\"a\",\"prompt\":\"b\"}|Duplicate field 'prompt'",
                "[1,2]|JSON array but must be an object",
                "{\"prompt\":[1}|Unexpected close marker '}': expected ']' (line 1, column 13)",
                "{\"prompt\":\"a|line 1, column",
                "{\"prompt\":\"a\",\"max_tokens\":NaN}|not valid JSON",
                "{\"prompt\":\"a\",\"x\":1e400}x|not valid JSON",
            })
    void brokenJsonIsRefusedWithItsPlace(String body, String message) {
        var error = error(door.post(COMPLETIONS, body), 400);
        assertThat(error.get("message").asText())
                .contains(message)
                .doesNotContain("Source:", "REDACTED", "ReadFeature", "Constraints");
        assertThat(error.get("code").asText()).isEqualTo("invalid_json");
    }

    @Test
    void hugeJsonIsRefusedNamingTheLimit() {
        var deep = "{\"x\":" + "[".repeat(10_000) + "]".repeat(10_000) + "}";
        assertThat(error(door.post(COMPLETIONS, deep), 400).get("message").asText())
                .contains("nesting depth", "64");
        var manyKeys = new StringBuilder("{\"a\":1");
        for (int i = 0; i < 550_000; i++) {
            manyKeys.append(",\"").append(Integer.toString(i, 36)).append("\":1");
        }
        var keys = manyKeys.append('}').toString();
        assertThat(keys.length()).isGreaterThan(1 << 22);
        error(door.post(COMPLETIONS, keys), 413);
        var longNumber = "{\"seed\":" + "1".repeat(2000) + "}";
        assertThat(error(door.post(COMPLETIONS, longNumber), 400).get("message").asText())
                .contains("64");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`{}`|prompt|missing",
                "{\"prompt\":\"\"}|prompt|empty",
                "{\"prompt\":[]}|prompt|[]",
                "{\"prompt\":[[]]}|prompt[0]|[]",
                "{\"prompt\":[\"a\",[1]]}|prompt[1]|array",
                "{\"prompt\":[-1]}|prompt[0]|-1",
                "{\"prompt\":[5,999999]}|prompt[1]|999999",
                "{\"prompt\":[1.5]}|prompt[0]|1.5",
                "{\"prompt\":\"\\ud800\"}|prompt|surrogate",
                "{\"prompt\":\"a\",\"max_tokens\":\"10\"}|max_tokens|string",
                "{\"prompt\":\"a\",\"max_tokens\":0}|max_tokens|0",
                "{\"prompt\":\"a\",\"max_tokens\":-1}|max_tokens|-1",
                "{\"prompt\":\"a\",\"max_tokens\":9223372036854775808}|max_tokens|9223372036854775808",
                "{\"prompt\":\"a\",\"n\":0}|n|0",
                "{\"prompt\":\"a\",\"n\":1000000000}|n|1000000000",
                "{\"prompt\":\"a\",\"n\":3,\"best_of\":2}|best_of|2",
                "{\"prompt\":\"a\",\"best_of\":2}|best_of|not supported yet",
                "{\"prompt\":\"a\",\"temperature\":-1}|temperature|-1",
                "{\"prompt\":\"a\",\"temperature\":1e30}|temperature|1.0E30",
                "{\"prompt\":\"a\",\"temperature\":1e400}|temperature|finite",
                "{\"prompt\":\"a\",\"temperature\":\"hot\"}|temperature|hot",
                "{\"prompt\":\"a\",\"top_p\":0}|top_p|0",
                "{\"prompt\":\"a\",\"top_k\":-2}|top_k|-2",
                "{\"prompt\":\"a\",\"min_p\":2}|min_p|2",
                "{\"prompt\":\"a\",\"presence_penalty\":2.1}|presence_penalty|2.1",
                "{\"prompt\":\"a\",\"repetition_penalty\":0}|repetition_penalty|0",
                "{\"prompt\":\"a\",\"logit_bias\":{\"abc\":1}}|logit_bias|abc",
                "{\"prompt\":\"a\",\"logit_bias\":{\"999999\":1}}|logit_bias|999999",
                "{\"prompt\":\"a\",\"logit_bias\":{\"5\":1e9}}|logit_bias[5]|1.0E9",
                "{\"prompt\":\"a\",\"logprobs\":21}|logprobs|21",
                "{\"prompt\":\"a\",\"seed\":9223372036854775808}|seed|9223372036854775808",
                "{\"prompt\":\"a\",\"seed\":1.5}|seed|1.5",
                "{\"prompt\":\"a\",\"stop\":[\"\"]}|stop[0]|0 characters",
                "{\"prompt\":\"a\",\"stop\":\"\\ufffd\"}|stop[0]|U+FFFD",
                "{\"prompt\":\"a\",\"stop\":[1]}|stop[0]|number",
                "{\"prompt\":\"a\",\"stream\":\"yes\"}|stream|yes",
                "{\"prompt\":\"a\",\"stream_options\":{\"include_usage\":true}}|stream_options|stream",
                "{\"prompt\":\"a\",\"prompt_logprobs\":1,\"stream\":true}|prompt_logprobs|stream",
                "{\"prompt\":\"a\",\"cache_salt\":\"\"}|cache_salt|0 characters",
                "{\"prompt\":\"a\",\"priority\":1000}|priority|1000",
                "{\"prompt\":\"a\",\"suffix\":\"b\"}|suffix|not supported yet",
                "{\"prompt\":\"a\",\"guided_json\":{\"type\":\"object\"}}|guided_json|not supported yet",
                "{\"prompt\":\"a\",\"response_format\":{\"type\":\"json_object\"}}|response_format|not supported yet",
                "{\"prompt\":\"a\",\"model\":7}|model|number",
            })
    void badCompletionsAreRefusedNamingTheField(String body, String field, String said) {
        requireRefused(COMPLETIONS, body, field, said);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`{}`|messages|missing",
                "{\"messages\":[]}|messages|0 entries",
                "{\"messages\":\"hi\"}|messages|string",
                "{\"messages\":[null]}|messages[0]|null",
                "{\"messages\":[{\"content\":\"a\"}]}|messages[0].role|missing",
                "{\"messages\":[{\"role\":\"user\"}]}|messages[0].content|missing",
                "{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}|messages[0].tool_call_id|missing",
                "{\"messages\":[{\"role\":\"a b\",\"content\":\"a\"}]}|messages[0]|messages[0]: role is a b",
                "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://169.254.169.254/\"}}]}]}|messages[0].content[0].type|image_url",
                "{\"messages\":[{\"role\":\"user\",\"content\":7}]}|messages[0].content|number",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_logprobs\":21,\"logprobs\":true}|top_logprobs|21",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_logprobs\":2}|top_logprobs|logprobs: true",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"logprobs\":1}|logprobs|true or false",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_completion_tokens\":0}|max_completion_tokens|max_completion_tokens is 0",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":0}|max_tokens|max_tokens is 0",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_completion_tokens\":255}|max_completion_tokens|and max_completion_tokens is 255 but the context length",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":255}|max_tokens|and max_tokens is 255 but the context length",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_completion_tokens\":5,\"min_tokens\":6}|min_tokens|0..max_completion_tokens (5)",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{\"type\":\"function\"}]}|tools|not supported yet",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tool_choice\":\"required\"}|tool_choice|not supported yet",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"chat_template\":\"x\"}|chat_template|not supported yet",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"modalities\":[\"audio\"]}|modalities|not supported yet",
            })
    void badChatsAreRefusedNamingTheField(String body, String field, String said) {
        requireRefused(CHAT, body, field, said);
    }

    @Test
    void tooManyPromptsAreRefused() {
        requireRefused(COMPLETIONS, "{\"prompt\":[%s\"a\"]}".formatted("\"a\",".repeat(64)), "prompt", "65 prompts");
    }

    @Test
    void whatDoesNotFitTheContextIsRefusedWithBothNumbers() {
        var error = error(door.post(COMPLETIONS, "{\"prompt\":[5,6],\"max_tokens\":255}"), 400);
        assertThat(error.get("code").asText()).isEqualTo("context_length_exceeded");
        assertThat(error.get("message").asText()).contains("2 tokens", "255", "256");
    }

    @Test
    void conversationsThatDoNotFitTheContextAreRefusedNamingTheMessages() {
        for (int words : new int[] {500, 50_000}) {
            var content = "hello ".repeat(words);
            var body = "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}".formatted(content);
            var error = error(door.post(CHAT, body), 400);
            assertThat(error.get("code").asText()).isEqualTo("context_length_exceeded");
            assertThat(error.get("param").asText()).isEqualTo("messages");
        }
    }

    @Test
    void unknownModelsAreNotFound() {
        for (var name : new String[] {"other", "../../etc/passwd", "x".repeat(10_000), "\\ud800"}) {
            var error = error(
                    door.post(COMPLETIONS, "{\"model\":\"" + name + "\",\"prompt\":\"a\"}"),
                    name.startsWith("\\") ? 400 : 404);
            assertThat(error.get("message").asText()).hasSizeLessThan(128);
            assertThat(error.get("param").asText()).isEqualTo("model");
        }
        var error = error(door.get("/v1/models/other/thing"), 404);
        assertThat(error.get("code").asText()).isEqualTo("model_not_found");
        assertThat(error.get("message").asText()).contains("other/thing");
    }

    @Test
    void wrongPathsAndMethodsAreRefused() {
        var wrongMethod = door.get(CHAT);
        assertThat(error(wrongMethod, 405).get("message").asText()).contains("GET");
        assertThat(wrongMethod.headers().firstValue("Allow")).hasValue("POST");
        error(door.get("/admin"), 404);
        assertThat(door.raw("GET //v1/../admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
                .matches("(?s)HTTP/1.1 40[04] .*");
        assertThat(door.raw("GET /%2e%2e/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
                .matches("(?s)HTTP/1.1 40[04] .*");
    }

    @Test
    void onlyPlainJsonIsTaken() {
        error(door.post(COMPLETIONS, "{\"prompt\":\"a\"}", "Content-Type", "text/plain"), 415);
        assertThat(door.raw(
                        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"))
                .startsWith("HTTP/1.1 415 ");
        assertThat(door.post(COMPLETIONS, "{\"prompt\":\"a\"}", "Content-Type", "application/json; charset=utf-8")
                        .statusCode())
                .isEqualTo(200);
    }

    @Test
    void bodiesOverTheLimitAreRefused() {
        var head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        assertThat(door.raw(head + "Content-Length: 500000000\r\n\r\n")).startsWith("HTTP/1.1 413 ");
        var chunk = "10000\r\n" + "x".repeat(0x10000) + "\r\n";
        var chunked = head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk.repeat(70) + "0\r\n\r\n";
        assertThat(door.raw(chunked)).startsWith("HTTP/1.1 413 ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "POST /v1/completions HTTP/1.1;Host: x;Content-Length: 2;Transfer-Encoding: chunked | 400 | Content-Length and Transfer-Encoding",
                "POST /v1/completions HTTP/1.1;Host: x;Content-Length: -2 | 400 | Content-Length is -2",
                "POST /v1/completions HTTP/1.1;Host: x;Content-Length: 2;Content-Length: 3 | 400 | Content-Length is given 2 times",
                "POST /v1/completions HTTP/1.1;Host: x;Content-Length: 2;Content-Encoding: br | 415 | Content-Encoding is br but must be gzip",
                "GET /health HTTP/9.9;Host: x | 505 | HTTP/9.9 but must be HTTP/1.1",
                "GET /health HTTP/1.1;Host: a:b | 400 | Host is a:b",
                "GET /health HTTP/1.1 | 400 | Host must be there",
                "GET /health HTTP/1.1;Host: x;no header | 400 | each header must be",
                "GET /a b HTTP/1.1;Host: x | 400 | does not begin with 'METHOD PATH HTTP/1.1'",
                "garbage garbage | 400 | does not begin with",
                "GET /%zz HTTP/1.1;Host: x | 400 | path /%zz",
                "GET /health HTTP/1.1;Host: x;X-Large: LARGE | 431 | more than 16384 bytes together",
                "GET /LARGE HTTP/1.1;Host: x | 414 | more than 8192 bytes",
            })
    void malformedHttpIsRefusedWithWhatIsWrong(String head, int status, String said) {
        var answer = door.raw(head.replace("LARGE", "x".repeat(20_000)).replace(";", "\r\n") + "\r\n\r\n");
        assertThat(answer).startsWith("HTTP/1.1 " + status + " ").contains("application/json");
        var error = Door.json(answer.substring(answer.indexOf("\r\n\r\n"))).get("error");
        assertThat(error.get("message").asText()).contains(said);
        assertThat(CompletionsTest.fields(error)).containsExactly("message", "type", "param", "code");
    }

    @Test
    void compressedBodiesAreTakenWithinTheLimitOfWhatTheyExpandTo() throws IOException {
        assertThat(compressed(gzip("{\"prompt\":\"a\"}")).statusCode()).isEqualTo(200);
        var bomb = gzip("{\"prompt\":\"" + "a".repeat(40 << 20) + "\"}");
        assertThat(bomb.length).isLessThan(1 << 20);
        error(compressed(bomb), 413);
        assertThat(error(compressed("no gzip".getBytes(StandardCharsets.UTF_8)), 400)
                        .get("message")
                        .asText())
                .contains("Content-Encoding is gzip but the body is not");
        var whole = gzip("{\"prompt\":\"a\"}");
        error(compressed(Arrays.copyOf(whole, whole.length - 9)), 400);
    }

    private HttpResponse<String> compressed(byte[] body) {
        return door.send(HttpRequest.newBuilder(door.uri(COMPLETIONS))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .headers("Content-Type", "application/json", "Content-Encoding", "gzip"));
    }

    private static byte[] gzip(String text) throws IOException {
        var bytes = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(bytes)) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        return bytes.toByteArray();
    }

    @Test
    void requestIdsAreEchoedOnlyIfSane() {
        assertThat(door.post(COMPLETIONS, "{}", "X-Request-Id", "mine-7")
                        .headers()
                        .firstValue("X-Request-Id"))
                .hasValue("mine-7");
        for (var odd : new String[] {"x".repeat(10_000), "has space"}) {
            assertThat(door.raw(
                            "POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n"
                                    .formatted(odd)))
                    .containsPattern("(?i)x-request-id: [0-9a-f]{16}\r\n");
        }
    }

    @Test
    void overloadSaysWhenToTryAgain() {
        var response = door.post(COMPLETIONS, "{\"prompt\":\"a\",\"cache_salt\":\"refuse\"}");
        assertThat(error(response, 429).get("type").asText()).isEqualTo("rate_limit_error");
        assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
        var streamed = door.post(COMPLETIONS, "{\"prompt\":\"a\",\"cache_salt\":\"refuse\",\"stream\":true}");
        assertThat(error(streamed, 429).get("message").asText()).contains("queue is full");
    }

    private void requireRefused(String path, String body, String field, String said) {
        var error = error(door.post(path, body), 400);
        assertThat(error.get("param").asText()).isEqualTo(field);
        assertThat(error.get("message").asText()).contains(said);
        assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
    }

    private static JsonNode error(HttpResponse<String> response, int status) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("application/json");
        var error = Door.json(response.body()).get("error");
        assertThat(CompletionsTest.fields(error)).containsExactly("message", "type", "param", "code");
        return error;
    }
}
