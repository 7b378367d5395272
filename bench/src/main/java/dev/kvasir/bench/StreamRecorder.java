package dev.kvasir.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Notes when each piece of text of one OpenAI stream arrived, the usage it reports and how it ended. Events without text,
 * such as the opening role of a chat or the usage, are no pieces. Written by the thread that receives, read by the one
 * that waits, which after a timeout may be at the same time.
 */
final class StreamRecorder implements SseParser.Listener {
    private static final ObjectMapper JSON = new ObjectMapper();

    private long[] times = new long[64];
    private int count;
    private boolean done;
    private boolean finished;
    private int promptTokens = -1;
    private int cachedTokens = -1;
    private int completionTokens = -1;
    private @Nullable Failure failure;

    @Override
    public synchronized void event(String data, long nanos) {
        if (data.equals("[DONE]")) {
            done = true;
            return;
        }
        try {
            record(JSON.readTree(data), nanos);
        } catch (JsonProcessingException e) {
            fail(Failure.brokenStream("event is not JSON: " + e.getOriginalMessage()));
        }
    }

    private void record(JsonNode event, long nanos) {
        if (event.hasNonNull("error")) {
            var error = event.get("error");
            fail(Failure.errorEvent(error.path("message").asText(error.toString())));
        }
        boolean hasText = false;
        for (var choice : event.path("choices")) {
            hasText |= hasText(choice);
            finished |= choice.hasNonNull("finish_reason");
        }
        if (hasText) {
            times = count == times.length ? Arrays.copyOf(times, 2 * count) : times;
            times[count++] = nanos;
        }
        var usage = event.path("usage");
        if (usage.isObject()) {
            promptTokens = usage.path("prompt_tokens").asInt(promptTokens);
            completionTokens = usage.path("completion_tokens").asInt(completionTokens);
            cachedTokens =
                    usage.path("prompt_tokens_details").path("cached_tokens").asInt(cachedTokens);
        }
    }

    private static boolean hasText(JsonNode choice) {
        var delta = choice.path("delta");
        return !choice.path("text").asText("").isEmpty()
                || !delta.path("content").asText("").isEmpty()
                || !delta.path("reasoning_content").asText("").isEmpty();
    }

    private void fail(Failure cause) {
        failure = failure == null ? cause : failure;
    }

    /** The stream's connection is at its end; without {@code [DONE]} it was cut. */
    synchronized void end() {
        if (!done && failure == null) {
            fail(Failure.brokenStream(
                    finished ? "ended without [DONE]" : "ended after %d pieces of text, unfinished".formatted(count)));
        }
    }

    synchronized long[] times() {
        return Arrays.copyOf(times, count);
    }

    synchronized int promptTokens() {
        return promptTokens;
    }

    synchronized int cachedTokens() {
        return cachedTokens;
    }

    synchronized int completionTokens() {
        return completionTokens;
    }

    synchronized @Nullable Failure failure() {
        return failure;
    }
}
