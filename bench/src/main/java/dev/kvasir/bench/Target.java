package dev.kvasir.bench;

import java.net.URI;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Whom to ask, and how.
 *
 * @param url root of an OpenAI-compatible server, without {@code /v1}
 * @param model served model name
 * @param chat ask {@code /v1/chat/completions} rather than {@code /v1/completions}
 * @param ignoreEos have every output run to its full length
 * @param cacheSalt keeps this run from hitting what earlier runs left in the server's prefix cache; null for none
 * @param timeout from sending a request to its stream's end
 * @param deadline that the server is told, in the header {@code x-kvasir-timeout-ms}; null for none
 * @param apiKey bearer token; null for none
 */
public record Target(
        URI url,
        String model,
        boolean chat,
        boolean ignoreEos,
        double temperature,
        @Nullable String cacheSalt,
        Duration timeout,
        @Nullable Duration deadline,
        @Nullable String apiKey) {}
