package dev.kvasir.chaos.sharing;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A request that was answered, or several that were asked at once.
 *
 * @param firstMillis from when it was sent until its first token
 * @param totalMillis until its last
 * @param promptTokens that it had
 * @param cachedTokens of them that were not computed
 * @param worker address of the member that answered it; of several, separated by commas
 */
record Sample(double firstMillis, double totalMillis, int promptTokens, int cachedTokens, String worker) {
    private static final String COMMA = ",";

    /** Of requests that were asked at once: means of times, sums of tokens. */
    static Sample mean(List<Sample> samples) {
        return new Sample(
                samples.stream().mapToDouble(Sample::firstMillis).average().orElseThrow(),
                samples.stream().mapToDouble(Sample::totalMillis).average().orElseThrow(),
                samples.stream().mapToInt(Sample::promptTokens).sum(),
                samples.stream().mapToInt(Sample::cachedTokens).sum(),
                samples.stream().map(Sample::worker).distinct().sorted().collect(Collectors.joining(COMMA)));
    }

    /** All members that answered. */
    List<String> workers() {
        return List.of(worker.split(COMMA, -1));
    }

    boolean isFrom(String clusterAddress) {
        return worker.endsWith(clusterAddress);
    }
}
