package dev.kvasir.bench;

import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One request as the client saw it. All times are nanoseconds since the start of the run.
 *
 * @param intendedNanos when it was due; latencies count from here, so that a client held up by a slow server does not
 *     flatter it (no coordinated omission). In a closed loop a request is due when it is sent
 * @param sentNanos when it was sent
 * @param eventNanos arrival of each piece of text
 * @param endNanos end of the stream, or when it failed
 * @param promptTokens as the server reports; -1 where it does not
 * @param cachedTokens likewise
 * @param completionTokens likewise
 */
@SuppressWarnings("ArrayRecordComponent") // A column of figures; results are never compared.
public record RequestResult(
        int index,
        int group,
        boolean repeated,
        int inputLength,
        int outputLength,
        long intendedNanos,
        long sentNanos,
        long[] eventNanos,
        long endNanos,
        int promptTokens,
        int cachedTokens,
        int completionTokens,
        @Nullable Failure failure) {
    private static final double NANOS_PER_MILLI = 1e6;

    public boolean succeeded() {
        return failure == null;
    }

    /** Tokens generated: as the server reports, else one per piece of text. */
    public int outputTokens() {
        return completionTokens >= 0 ? completionTokens : eventNanos.length;
    }

    public int inputTokens() {
        return promptTokens >= 0 ? promptTokens : inputLength;
    }

    /** Time to first token; NaN where no text came. */
    public double ttftMillis() {
        return eventNanos.length == 0 ? Double.NaN : (eventNanos[0] - intendedNanos) / NANOS_PER_MILLI;
    }

    public double endToEndMillis() {
        return (endNanos - intendedNanos) / NANOS_PER_MILLI;
    }

    /** Mean time per output token after the first; NaN for outputs of fewer than two tokens. */
    public double tpotMillis() {
        return outputTokens() < 2 || eventNanos.length < 2
                ? Double.NaN
                : (eventNanos[eventNanos.length - 1] - eventNanos[0]) / NANOS_PER_MILLI / (outputTokens() - 1);
    }

    /** Gaps between pieces of text, of which most servers send one per token. */
    public DoubleStream itlMillis() {
        return IntStream.range(1, eventNanos.length)
                .mapToDouble(i -> (eventNanos[i] - eventNanos[i - 1]) / NANOS_PER_MILLI);
    }
}
