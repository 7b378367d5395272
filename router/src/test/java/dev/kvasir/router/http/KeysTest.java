package dev.kvasir.router.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An HTTP door that asks for keys. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KeysTest {
    private Door door;

    @BeforeAll
    void open() {
        var cluster = TestCluster.start("api-keys = [\"sk-one\", \"sk-two acme\"]");
        cluster.worker((request, output, index) -> StandInWorker.saying(
                        request.tenant().name() + "|" + request.tenant().salt())
                .token(request, output, index));
        door = Door.open(cluster);
    }

    @AfterAll
    void close() {
        door.close();
    }

    private HttpResponse<String> ask(String method, String path, String... headers) {
        var request = HttpRequest.newBuilder(door.uri(path))
                .method(method, HttpRequest.BodyPublishers.ofString("{\"prompt\":\"a\",\"tokens\":[1]}"))
                .header("Content-Type", "application/json");
        return door.send(headers.length == 0 ? request : request.headers(headers));
    }

    @ParameterizedTest
    @CsvSource({
        "POST, /v1/completions",
        "POST, /v1/chat/completions",
        "GET, /v1/models",
        "GET, /v1/models/tiny",
        "GET, /v1/streams/cmpl-1",
        "POST, /tokenize",
        "POST, /detokenize",
        "GET, /v1/nowhere",
        "GET, /nowhere",
        "GET, /v1/completions",
        "DELETE, /v1/models",
        "OPTIONS, /tokenize",
        "POST, //v1/completions",
        "POST, /v1/../v1/completions"
    })
    void whoeverShowsNoKeyIsRefusedEverywhere(String method, String path) {
        for (var headers : new String[][] {{}, {"Authorization", "Bearer SK-ONE"}, {"Authorization", "Basic sk-one"}}) {
            var response = ask(method, path, headers);
            assertThat(response.statusCode()).as(response.body()).isEqualTo(401);
            assertThat(response.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
            var error = Door.json(response.body()).path("error");
            assertThat(error.path("code").asText()).isEqualTo("invalid_api_key");
            assertThat(error.path("type").asText()).isEqualTo("invalid_request_error");
            assertThat(response.body()).doesNotContainIgnoringCase("sk-one");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/health", "/ping", "/version", "/load", "/metrics"})
    void probesNeedNoKey(String path) {
        assertThat(door.get(path).statusCode()).isEqualTo(200);
    }

    @Test
    void aBrowserIsToldWhichPagesMayAskAndShowsTheKeyWithTheRequestItself() {
        var origin = "https://chat.example";
        var cluster = TestCluster.start("api-keys = [sk-one], allowed-origins = [\"%s\"]".formatted(origin));
        cluster.worker(StandInWorker.saying("x"));
        try (var own = Door.open(cluster)) {
            var preflight = own.send(HttpRequest.newBuilder(own.uri("/v1/chat/completions"))
                    .method("OPTIONS", HttpRequest.BodyPublishers.noBody())
                    .header("Origin", origin)
                    .header("Access-Control-Request-Method", "POST")
                    .header("Access-Control-Request-Headers", "authorization,content-type"));
            assertThat(preflight.statusCode()).isEqualTo(200);
            assertThat(allowed(preflight)).isEqualTo(origin);
            var headers = preflight.headers();
            assertThat(headers.firstValue("Access-Control-Allow-Headers")).hasValue("authorization,content-type");
            assertThat(headers.firstValue("Access-Control-Allow-Methods")).hasValue("GET, POST");
            assertThat(headers.firstValue("Vary")).hasValue("Origin");
            var models = models(own, origin);
            assertThat(models.statusCode()).isEqualTo(401);
            assertThat(allowed(models)).isEqualTo(origin);
            assertThat(allowed(models(own, "https://evil.example"))).isEmpty();
        }
        assertThat(allowed(models(door, origin))).isEmpty();
    }

    private static HttpResponse<String> models(Door door, String origin) {
        return door.send(HttpRequest.newBuilder(door.uri("/v1/models")).header("Origin", origin));
    }

    private static String allowed(HttpResponse<String> response) {
        return response.headers().firstValue("Access-Control-Allow-Origin").orElse("");
    }

    @Test
    void aRequestIsForTheTenantOfItsKeyWhateverItsHeaderSays() {
        assertThat(text(ask("POST", "/v1/completions", "Authorization", "Bearer sk-one", "x-kvasir-tenant", "acme")))
                .isEqualTo("|");
        assertThat(text(ask("POST", "/v1/completions", "Authorization", "Bearer sk-two", "x-kvasir-tenant", "other")))
                .isEqualTo("acme|acme");
        assertThat(ask("GET", "/nowhere", "Authorization", "Bearer sk-one").statusCode())
                .isEqualTo(404);
    }

    private static String text(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return Door.json(response.body()).path("choices").path(0).path("text").asText();
    }
}
