package dev.kvasir.bench;

import java.util.Arrays;
import java.util.List;

/**
 * A run cut into equal spans of time.
 *
 * @param spanSeconds length of a span
 * @param outputTokensPerSecond by span; the tokens of a request are spread evenly over its pieces of text
 * @param inFlight requests sent and not ended, at the middle of each span
 */
@SuppressWarnings("ArrayRecordComponent") // Columns of figures for a chart; never compared.
record Timeline(double spanSeconds, double[] outputTokensPerSecond, double[] inFlight) {
    static Timeline of(List<RequestResult> results, int spans) {
        long start =
                results.stream().mapToLong(RequestResult::intendedNanos).min().orElse(0);
        long end = results.stream().mapToLong(RequestResult::endNanos).max().orElse(1);
        double spanNanos = Math.max(1, (double) (end - start) / spans);
        var tokens = new double[spans];
        var inFlight = new double[spans];
        for (var result : results) {
            double share = (double) result.outputTokens() / Math.max(1, result.eventNanos().length);
            for (long nanos : result.eventNanos()) {
                tokens[Math.clamp((long) ((nanos - start) / spanNanos), 0, spans - 1)] += share;
            }
            for (int i = 0; i < spans; i++) {
                double middle = start + (i + 0.5) * spanNanos;
                inFlight[i] += result.sentNanos() <= middle && middle < result.endNanos() ? 1 : 0;
            }
        }
        double spanSeconds = spanNanos / 1e9;
        return new Timeline(
                spanSeconds,
                Arrays.stream(tokens).map(count -> count / spanSeconds).toArray(),
                inFlight);
    }
}
