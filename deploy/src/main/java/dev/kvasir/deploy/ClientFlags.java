package dev.kvasir.deploy;

import dev.kvasir.client.ConnectionOptions;
import dev.kvasir.protocol.tls.Certificates;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags of commands that talk with a server: what they show it, and whom they believe. */
final class ClientFlags {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description = "Key to show a server (default: environment variable OPENAI_API_KEY).",
            defaultValue = "${env:OPENAI_API_KEY}")
    private @Nullable String apiKey;

    @Option(
            names = "--cacert",
            paramLabel = "FILE",
            description =
                    "Certificates in PEM to believe in, for a server that speaks TLS (default: those of the JVM).")
    private @Nullable Path authority;

    private Optional<String> key() {
        return Optional.ofNullable(apiKey).filter(key -> !key.isEmpty());
    }

    /** A client of an HTTP door. */
    ApiClient open(URI url) {
        var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT_TIMEOUT);
        try {
            if (authority != null) {
                http.sslContext(Certificates.trusting(authority));
            }
        } catch (RuntimeException e) {
            throw new ConfigurationException("--cacert: " + e.getMessage(), e);
        }
        return new ApiClient(url, http.build(), key());
    }

    /** How to reach a gRPC door; TLS where its address begins with https:// or an authority is named. */
    ConnectionOptions grpc(String door) {
        var options = ConnectionOptions.plain();
        if (door.startsWith("https://") || authority != null) {
            options = options.withTls(Optional.ofNullable(authority));
        }
        return key().isPresent() ? options.withApiKey(key().get()) : options;
    }
}
