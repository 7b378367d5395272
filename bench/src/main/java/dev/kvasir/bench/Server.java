package dev.kvasir.bench;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.time.Duration;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * An OpenAI-compatible server.
 *
 * @param url root, without {@code /v1}
 * @param apiKey bearer token; null for none
 * @param tls whom to believe; null for those whom the JVM believes
 */
public record Server(
        URI url, @Nullable String apiKey, @Nullable SSLContext tls) {
    static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

    /** For clients of it. */
    HttpClient.Builder client() {
        var builder =
                HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT_TIMEOUT);
        return tls == null ? builder : builder.sslContext(tls);
    }

    /** For requests to it. */
    HttpRequest.Builder request(String path) {
        var root = url.toString();
        var builder = HttpRequest.newBuilder(
                URI.create((root.endsWith("/") ? root.substring(0, root.length() - 1) : root) + path));
        return apiKey == null ? builder : builder.header("Authorization", "Bearer " + apiKey);
    }
}
