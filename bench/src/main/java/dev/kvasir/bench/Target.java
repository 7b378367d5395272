package dev.kvasir.bench;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Whom to ask, and how.
 *
 * @param server an OpenAI-compatible one
 * @param model served model name
 * @param chat ask {@code /v1/chat/completions} rather than {@code /v1/completions}
 * @param ignoreEos have every output run to its full length
 * @param cacheSalt keeps this run from hitting what earlier runs left in the server's prefix cache; null for none
 * @param timeout from sending a request to its stream's end
 * @param deadline that the server is told, in the header {@code x-kvasir-timeout-ms}; null for none
 */
public record Target(
        Server server,
        String model,
        boolean chat,
        boolean ignoreEos,
        double temperature,
        @Nullable String cacheSalt,
        Duration timeout,
        @Nullable Duration deadline) {}
